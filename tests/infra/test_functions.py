from __future__ import annotations

import json
from typing import Any

import pytest

from infra import catalog
from infra.settings import STAGES, Stage
from infra.stacks.functions import KEYS_ANSWERER
from infra.stacks.schema import ANSWERER
from infra.vocabulary import (
    Access,
    Bucket,
    Callee,
    CustomResource,
    Function,
    Http,
    Key,
    Permission,
    Queue,
    QueueConsumer,
    Reach,
    Schedule,
    Secret,
    Setting,
    Table,
)
from shared.identity.rules import ACCESS_SECONDS
from tenant_context.identity import SKEW_SECONDS
from tenant_context.key_ring import PAUSE_S, SIGNER_READS_EVERY_S
from tests.infra.templates import Resource, Templates, named

JWKS_SECONDS = 300
"""How long others may keep the key set."""

every_function = pytest.mark.parametrize("row", catalog.FUNCTIONS, ids=lambda row: row.name)


def function(templates: Templates, row: Function, stage: str = "prod") -> Resource:
    return templates.one("AWS::Lambda::Function", named(row.name, stage))


def alias(templates: Templates, row: Function, stage: str = "prod") -> Resource:
    made = function(templates, row, stage)
    found = [
        candidate
        for candidate in templates.all("AWS::Lambda::Alias")
        if templates.target(candidate.stack, candidate.properties["FunctionName"]) == made
    ]
    assert len(found) == 1
    return found[0]


def groups(templates: Templates, row: Function) -> list[str]:
    made = function(templates, row)
    config = made.properties.get("VpcConfig", {})
    return [templates.words(made.stack, group) for group in config.get("SecurityGroupIds", [])]


@every_function
def test_a_function_runs_python_313_on_arm64_with_traces(prod: Templates, row: Function) -> None:
    made = function(prod, row).properties
    assert (made["Runtime"], made["Architectures"]) == ("python3.13", ["arm64"])
    assert made["TracingConfig"] == {"Mode": "Active"}
    assert made["Handler"] == f"functions.{row.name}.handler.handler"
    assert (made["MemorySize"], made["Timeout"]) == (row.memory_mb, row.timeout_s)


@every_function
def test_a_function_has_a_log_that_forgets(prod: Templates, row: Function) -> None:
    made = function(prod, row)
    log = prod.target(made.stack, made.properties["LoggingConfig"]["LogGroup"])
    assert log is not None
    assert log.properties["RetentionInDays"] > 0


def test_every_log_group_forgets(prod: Templates) -> None:
    assert [str(log) for log in prod.all("AWS::Logs::LogGroup") if not log.properties.get("RetentionInDays")] == []


@every_function
def test_a_function_is_called_by_its_alias_live(prod: Templates, row: Function) -> None:
    live = alias(prod, row)
    assert live.properties["Name"] == "live"
    version = prod.target(live.stack, live.properties["FunctionVersion"])
    assert version is not None
    assert version.type == "AWS::Lambda::Version"


@every_function
def test_every_trigger_leads_to_the_alias(prod: Templates, row: Function) -> None:
    live = alias(prod, row)
    starters: dict[type, list[Resource]] = {Http: [], QueueConsumer: [], Schedule: [], CustomResource: []}
    places: tuple[tuple[type, str, tuple[str, ...]], ...] = (
        (Http, "AWS::ApiGatewayV2::Integration", ("IntegrationUri",)),
        (QueueConsumer, "AWS::Lambda::EventSourceMapping", ("FunctionName",)),
        (Schedule, "AWS::Scheduler::Schedule", ("Target", "Arn")),
        (
            CustomResource,
            "AWS::Lambda::Function",
            ("Environment", "Variables", "USER_ON_EVENT_FUNCTION_ARN"),
        ),
    )
    for kind, resource_type, path in places:
        for resource in prod.all(resource_type):
            value: Any = resource.properties
            for step in path:
                value = value.get(step, {})
            if prod.target(resource.stack, value) == live:
                starters[kind].append(resource)
    assert {kind: len(found) for kind, found in starters.items()} == {
        kind: sum(isinstance(trigger, kind) for trigger in row.triggers) for kind in starters
    }


def test_every_try_of_a_scheduled_call_names_the_same_slot(prod: Templates, local: Templates) -> None:
    slots = {
        templates.folder.name: {
            json.loads(made.properties["Target"]["Input"]).get("slot")
            for made in templates.all("AWS::Scheduler::Schedule")
        }
        for templates in (prod, local)
    }
    # Scheduler fills it in; the local endpoint would hand it over as it stands, the same at every call.
    assert slots == {"prod": {"<aws.scheduler.scheduled-time>"}, "local": {None}}


def test_the_gateway_has_the_catalogs_routes_and_no_others(prod: Templates) -> None:
    routes = sorted(route.properties["RouteKey"] for route in prod.all("AWS::ApiGatewayV2::Route"))
    assert routes == sorted(key for row in catalog.FUNCTIONS for key in catalog.routes(row))


@every_function
def test_a_function_stands_where_its_reach_says(prod: Templates, row: Function) -> None:
    made = function(prod, row)
    if row.reach is Reach.INTERNET:
        assert "VpcConfig" not in made.properties
        return
    subnets = [prod.target(made.stack, subnet) for subnet in made.properties["VpcConfig"]["SubnetIds"]]
    assert subnets
    for subnet in subnets:
        assert subnet is not None
        tags = {tag["Key"]: tag["Value"] for tag in subnet.properties["Tags"]}
        assert tags["aws-cdk:subnet-type"] == "Isolated"


@every_function
def test_only_database_functions_have_a_way_to_the_database(prod: Templates, row: Function) -> None:
    into_database = {
        prod.words(rule.stack, rule.properties["SourceSecurityGroupId"])
        for rule in prod.all("AWS::EC2::SecurityGroupIngress")
        if rule.properties["FromPort"] == 5432
    }
    connected = bool(into_database.intersection(groups(prod, row)))
    assert connected == (row.reach is Reach.DATABASE)
    names = set(function(prod, row).properties["Environment"]["Variables"])
    assert any(name.startswith("RMAP_DATABASE_") for name in names) == connected


DATABASE = {f"RMAP_DATABASE_{name}" for name in ("HOST", "READER_HOST", "PORT", "NAME", "USER", "AUTH")}
ALWAYS = {
    "RMAP_STAGE",
    "RMAP_VERSION",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_LOG_LEVEL",
    "RMAP_TRACING",
}


def settings_of(permission: Permission) -> set[str]:  # noqa: C901  one case for each kind
    """The variables that a permission brings with it."""
    match permission.resource:
        case Queue() as queue:
            found = {f"RMAP_QUEUE_{queue.name}"}
        case Table.SIGNING_KEYS if permission.access is Access.READ_TABLE:
            found = {"RMAP_TABLE_SIGNING_KEYS", "RMAP_ISSUER", "RMAP_AUDIENCE"}
        case Table() as table:
            found = {f"RMAP_TABLE_{table.name}"}
        case Bucket() as bucket:
            found = {f"RMAP_BUCKET_{bucket.name}"}
        case Key.FIELD:
            found = {"RMAP_FIELD_KEY"}
        case Key.SIGNING:
            found = set()
        case Secret.DATABASE_OWNER:
            found = DATABASE | {"RMAP_DATABASE_SECRET"}
        case Secret() as secret:
            found = {f"RMAP_{secret.name}_SECRET"}
        case Callee() as callee:
            found = {f"RMAP_FUNCTION_{callee.name}"}
        case None if permission.access is Access.SEND_MAIL:
            found = set()
        case None:
            found = {"RMAP_BUS"} if permission.access is Access.PUBLISH else DATABASE
    return found


@every_function
def test_a_function_is_told_what_its_row_needs_and_nothing_else(prod: Templates, row: Function) -> None:
    told = set(function(prod, row).properties["Environment"]["Variables"])
    expected = ALWAYS.union(*(settings_of(permission) for permission in row.permissions))
    if row.has(Http):
        expected |= {"RMAP_API_URL", "RMAP_ORIGIN_SECRETS"}
    expected |= set(row.extra_settings) - {
        Setting.OUTBOUND_ALLOW,
        Setting.STRIPE_URL,
        Setting.BREACHES_URL,
        Setting.DNS_SERVER,
        Setting.PLACES_URL,
        Setting.BASE_DOMAIN,
    }
    assert told == expected, "settings that only the local stage has are left out here"


@every_function
def test_people_hear_of_errors_and_throttles(prod: Templates, row: Function) -> None:
    made = function(prod, row)
    heard = {
        bell.properties["MetricName"]
        for bell in prod.all("AWS::CloudWatch::Alarm")
        for dimension in bell.properties.get("Dimensions", [])
        if dimension["Name"] == "FunctionName"
        and prod.target(bell.stack, dimension["Value"]) == made
        and bell.properties["AlarmActions"]
    }
    assert {"Errors", "Throttles"} <= heard


def test_people_hear_of_webhooks_that_are_late(prod: Templates) -> None:
    bells = {
        bell.properties["MetricName"]: bell.properties
        for bell in prod.all("AWS::CloudWatch::Alarm")
        if bell.properties.get("Namespace") == "RMAP"
    }
    bells = {name: bell for name, bell in bells.items() if name.endswith(("Lateness", "Lag", "OutboxOldestSeconds"))}
    assert set(bells) == {"AttemptLateness", "SweepLateness", "EventLag", "OutboxOldestSeconds"}
    for row, metric, operation, seconds in (
        ("webhooks_dispatcher", "AttemptLateness", "webhooks.deliver", 60),
        ("webhooks_sweeper", "SweepLateness", "webhooks_sweeper.sweep", 60),
        ("webhooks_fanout", "EventLag", "webhooks.fan_out", 300),
        ("outbox_relay", "OutboxOldestSeconds", "outbox_relay.sweep", 300),
    ):
        noted = {one["Name"]: one["Value"] for one in bells[metric]["Dimensions"]}
        assert noted == {"service": row, "operation": operation}
        assert (bells[metric]["Threshold"], bells[metric]["Statistic"]) == (seconds, "Maximum")
        assert bells[metric]["AlarmActions"]


def test_people_hear_of_events_that_the_bus_refuses(prod: Templates) -> None:
    (bell,) = [
        alarm.properties
        for alarm in prod.all("AWS::CloudWatch::Alarm")
        if alarm.properties.get("MetricName") == "RefusedEvents"
    ]
    noted = {one["Name"]: one["Value"] for one in bell["Dimensions"]}
    assert noted == {"service": "outbox_relay", "operation": "outbox_relay.sweep"}
    assert (bell["Threshold"], bell["Statistic"]) == (0, "Maximum")


def test_functions_are_deployed_after_the_schema(prod: Templates) -> None:
    manifest = prod.folder / "manifest.json"

    artifacts = json.loads(manifest.read_text())["artifacts"]
    assert "schema" in artifacts["functions"]["dependencies"]
    schema = prod.all("Custom::Schema")
    assert [resource.stack for resource in schema] == ["schema"]
    assert {row.stack for row in prod.all("AWS::Lambda::Function")} == {"schema", "functions"}


def test_nothing_runs_that_the_catalog_does_not_list(prod: Templates) -> None:
    made = {resource.name for resource in prod.all("AWS::Lambda::Function")}
    assert made == {named(row.name) for row in catalog.FUNCTIONS} | {named(ANSWERER), named(KEYS_ANSWERER)}


def test_the_schemas_resource_calls_the_migrations_by_the_cdks_answerer(prod: Templates) -> None:
    (schema,) = prod.all("Custom::Schema")
    answerer = prod.target(schema.stack, schema.properties["ServiceToken"])
    assert answerer == prod.one("AWS::Lambda::Function", named(ANSWERER))
    assert len(schema.properties["Digest"]) == 32


def test_a_deploy_ends_with_a_key_that_signs(prod: Templates) -> None:
    (ring,) = prod.all("Custom::KeyRing")
    answerer = prod.target(ring.stack, ring.properties["ServiceToken"])
    assert answerer == prod.one("AWS::Lambda::Function", named(KEYS_ANSWERER))


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_keys_are_known_before_they_sign_and_believed_until_their_last_token_has_expired(stage: Stage) -> None:
    times = stage.signing_keys
    others_keep_the_key_set = 0 if stage.local else JWKS_SECONDS
    assert times.publish_for_s > max(PAUSE_S, others_keep_the_key_set)
    assert times.overlap_s > ACCESS_SECONDS + SKEW_SECONDS + SIGNER_READS_EVERY_S
    assert times.rotate_after_s > times.publish_for_s + times.overlap_s


def test_one_failure_of_what_runs_once_a_day_is_heard(prod: Templates) -> None:
    """A second failure would come a day later, and two in a row would never be counted."""
    made = function(prod, catalog.function("key_rotation"))
    bells = [
        bell.properties["EvaluationPeriods"]
        for bell in prod.all("AWS::CloudWatch::Alarm")
        for dimension in bell.properties.get("Dimensions", [])
        if prod.target(bell.stack, dimension["Value"]) == made and bell.properties["MetricName"] == "Errors"
    ]
    assert bells == [1]


@every_function
def test_the_local_stage_gives_the_same_functions(local: Templates, row: Function) -> None:
    made = function(local, row, "local")
    assert "VpcConfig" not in made.properties
    assert made.properties["Handler"] == f"functions.{row.name}.handler.handler"


def test_the_local_stage_holds_nothing_that_its_endpoint_refuses(local: Templates) -> None:
    refused = ("AWS::RDS::", "AWS::EC2::", "AWS::CloudFront::", "AWS::WAFv2::", "AWS::Events::Archive")
    assert [str(resource) for resource in local.all() if resource.type.startswith(refused)] == []


@every_function
def test_the_version_before_stays_as_the_way_back(prod: Templates, row: Function) -> None:
    made = function(prod, row)
    versions = [
        version
        for version in prod.all("AWS::Lambda::Version")
        if prod.target(version.stack, version.properties["FunctionName"]) == made
    ]
    assert [version.body["DeletionPolicy"] for version in versions] == ["Retain"]
