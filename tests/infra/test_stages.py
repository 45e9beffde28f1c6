"""Dev, staging and deployments with a domain: the same platform, but for the differences that settings.py names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra import catalog
from infra.stacks.edge import CLOUDFRONT_ZONE
from infra.stacks.functions import KEYS_ANSWERER
from infra.stacks.schema import ANSWERER
from infra.vocabulary import Http, Queue, Table
from tests.infra.conftest import DOMAIN, VARIANTS
from tests.infra.templates import Resource, Templates, named

Variants = dict[str, Templates]

every_variant = pytest.mark.parametrize("name", VARIANTS)
with_and_without_a_domain = pytest.mark.parametrize("ending", ["", "-domain"])


def variables(templates: Templates, name: str) -> dict[str, Any]:
    found: dict[str, Any] = templates.one("AWS::Lambda::Function", name).properties["Environment"]["Variables"]
    return found


def names(templates: Templates, kind: str) -> set[str]:
    return {resource.name for resource in templates.all(kind)}


def outputs(templates: Templates, stack: str) -> dict[str, Any]:
    return {key: output["Value"] for key, output in templates.bodies[stack].get("Outputs", {}).items()}


def records(templates: Templates) -> list[Resource]:
    """The domain's records, of which there is one for each address family."""
    found = templates.all("AWS::Route53::RecordSet")
    assert sorted(record.properties["Type"] for record in found) == ["A", "AAAA"]
    for record in found:
        assert record.properties["Name"] == DOMAIN["RMAP_DOMAIN"]
        assert record.properties["HostedZoneId"] == DOMAIN["RMAP_ZONE_ID"]
    return found


@every_variant
def test_a_stage_synthesizes_under_cdk_nag_and_the_cdks_own_rules(variants: Variants, name: str) -> None:
    assert variants[name].violations() == []


def test_cfn_lint_finds_nothing_in_what_prod_does_not_have(variants: Variants) -> None:
    """The stacks that differ: a database without readers, and names of a domain's own."""
    files = [
        *(variants["dev"].folder / f"{stack}.template.json" for stack in ("database", "network", "api")),
        variants["dev-domain"].folder / "api.template.json",
        variants["staging-domain"].folder / "edge.template.json",
    ]
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--format", "parseable", "--", *files],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@every_variant
def test_a_stage_has_the_functions_queues_and_tables_of_the_catalog(variants: Variants, name: str) -> None:
    stage, templates = VARIANTS[name]["RMAP_STAGE"], variants[name]
    functions = {*(row.name for row in catalog.FUNCTIONS), ANSWERER, KEYS_ANSWERER}
    assert names(templates, "AWS::Lambda::Function") == {named(function, stage) for function in functions}
    assert names(templates, "AWS::DynamoDB::Table") == {named(table, stage) for table in Table}
    assert {named(queue, stage) for queue in Queue} <= names(templates, "AWS::SQS::Queue")


@with_and_without_a_domain
def test_dev_is_small_and_may_be_deleted(variants: Variants, ending: str) -> None:
    dev = variants[f"dev{ending}"]
    assert dev.protected() == set()
    assert len(dev.all("AWS::RDS::DBInstance")) == 1
    assert dev.all("AWS::RDS::DBProxyEndpoint") == []
    (cluster,) = dev.all("AWS::RDS::DBCluster")
    assert cluster.body["DeletionPolicy"] == "Snapshot"
    assert cluster.properties["DeletionProtection"] is False
    stays = {resource.type for resource in dev.all() if resource.body.get("DeletionPolicy") == "Retain"}
    assert stays == {"AWS::Lambda::Version"}


def test_readers_ask_the_proxy_itself_where_there_is_no_reader(variants: Variants) -> None:
    told = variables(variants["dev"], named("campaigns", "dev"))
    assert told["RMAP_DATABASE_READER_HOST"] == told["RMAP_DATABASE_HOST"]
    told = variables(variants["staging"], named("campaigns", "staging"))
    assert told["RMAP_DATABASE_READER_HOST"] != told["RMAP_DATABASE_HOST"]


@with_and_without_a_domain
def test_dev_has_no_edge_and_its_functions_expect_none(variants: Variants, ending: str) -> None:
    dev = variants[f"dev{ending}"]
    assert "edge" not in dev.bodies
    assert dev.all("AWS::CloudFront::Distribution") == []
    for row in catalog.http_functions():
        assert "RMAP_ORIGIN_SECRETS" not in variables(dev, named(row.name, "dev"))


@with_and_without_a_domain
def test_staging_is_protected_as_prod_is(variants: Variants, prod: Templates, ending: str) -> None:
    staging = variants[f"staging{ending}"]
    assert staging.protected() == prod.protected()
    policies = {
        templates.folder.name: {(made.type, made.body.get("DeletionPolicy")) for made in templates.all()}
        for templates in (staging, prod)
    }
    records_alone = {("AWS::Route53::RecordSet", None)}
    assert policies[staging.folder.name] - records_alone == policies[prod.folder.name]


@with_and_without_a_domain
def test_staging_stands_behind_the_edge_and_its_functions_take_nothing_else(variants: Variants, ending: str) -> None:
    staging = variants[f"staging{ending}"]
    assert len(staging.all("AWS::CloudFront::Distribution")) == 1
    for row in catalog.FUNCTIONS:
        told = variables(staging, named(row.name, "staging"))
        assert ("RMAP_ORIGIN_SECRETS" in told) == row.has(Http)


def test_a_domain_without_an_edge_is_the_apis_own(variants: Variants) -> None:
    dev = variants["dev-domain"]
    (name,) = dev.all("AWS::ApiGatewayV2::DomainName")
    (configuration,) = name.properties["DomainNameConfigurations"]
    assert name.properties["DomainName"] == DOMAIN["RMAP_DOMAIN"]
    assert (configuration["CertificateArn"], configuration["SecurityPolicy"]) == (DOMAIN["RMAP_CERTIFICATE"], "TLS_1_2")
    (mapping,) = dev.all("AWS::ApiGatewayV2::ApiMapping")
    assert dev.target(mapping.stack, mapping.properties["DomainName"]) == name
    for record in records(dev):
        target = record.properties["AliasTarget"]
        assert dev.target(record.stack, target["DNSName"]) == name
        assert dev.target(record.stack, target["HostedZoneId"]) == name


def test_a_domain_before_an_edge_is_cloudfronts(variants: Variants) -> None:
    staging = variants["staging-domain"]
    assert staging.all("AWS::ApiGatewayV2::DomainName") == []
    (distribution,) = staging.all("AWS::CloudFront::Distribution")
    config = distribution.properties["DistributionConfig"]
    assert config["Aliases"] == [DOMAIN["RMAP_DOMAIN"]]
    assert config["ViewerCertificate"]["AcmCertificateArn"] == DOMAIN["RMAP_CERTIFICATE"]
    assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    for record in records(staging):
        target = record.properties["AliasTarget"]
        assert staging.target(record.stack, target["DNSName"]) == distribution
        assert target["HostedZoneId"] == CLOUDFRONT_ZONE


@pytest.mark.parametrize(("name", "open_still"), [("dev", True), ("dev-domain", False), ("staging-domain", True)])
def test_the_gateways_own_name_is_closed_where_the_domain_replaces_it(
    variants: Variants, name: str, *, open_still: bool
) -> None:
    """CloudFront calls the gateway by its own name; what goes around CloudFront lacks its secret."""
    (api,) = variants[name].all("AWS::ApiGatewayV2::Api")
    assert api.properties.get("DisableExecuteApiEndpoint", False) is not open_still


@pytest.mark.parametrize(("name", "stack"), [("dev-domain", "api"), ("staging-domain", "edge")])
def test_tokens_and_outputs_name_the_domain(variants: Variants, name: str, stack: str) -> None:
    address = f"https://{DOMAIN['RMAP_DOMAIN']}"
    templates, stage = variants[name], VARIANTS[name]["RMAP_STAGE"]
    assert outputs(templates, stack)["ApiUrl"] == address
    told = variables(templates, named("auth", stage))
    assert (told["RMAP_ISSUER"], told["RMAP_API_URL"]) == (address, address)
    assert variables(templates, named("mailer", stage))["RMAP_MAIL_FROM"].endswith(f"@mail.{DOMAIN['RMAP_DOMAIN']}>")


@pytest.mark.parametrize("name", ["dev", "staging"])
def test_without_a_domain_nothing_is_named(variants: Variants, name: str) -> None:
    kinds = ("AWS::Route53::RecordSet", "AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::ApiMapping")
    assert [str(made) for kind in kinds for made in variants[name].all(kind)] == []
    for distribution in variants[name].all("AWS::CloudFront::Distribution"):
        assert "Aliases" not in distribution.properties["DistributionConfig"]
