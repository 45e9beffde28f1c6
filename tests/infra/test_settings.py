from __future__ import annotations

import pytest

from infra.settings import STAGES, UnknownStageError, read_deployment


def test_a_stage_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(UnknownStageError, match=r"no stage 'production'.*local, dev, staging, prod"):
        read_deployment({"stage": "production"}, {})


def test_context_wins_over_the_environment() -> None:
    assert read_deployment({"stage": "dev"}, {"RMAP_STAGE": "prod"}).stage is STAGES["dev"]
    assert read_deployment({}, {"RMAP_STAGE": "prod"}).stage is STAGES["prod"]
    assert read_deployment({}, {}).stage is STAGES["local"]


def test_the_local_cloud_is_found_by_the_environment() -> None:
    environment = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:14566/",
        "RMAP_LOCAL_DATABASE_PORT": "15432",
        "RMAP_LOCAL_STRIPE_URL": "http://127.0.0.1:12111",
    }
    local = read_deployment({}, environment).local
    assert local is not None
    assert local.api_url == "http://127.0.0.1:14566/_aws/execute-api/rmap/local"
    assert (local.database_host, local.database_port) == ("127.0.0.1", 15432)


def test_an_account_has_no_local_cloud() -> None:
    assert read_deployment({"stage": "prod"}, {"RMAP_LOCAL_DATABASE_PORT": "1"}).local is None


def test_a_domain_needs_its_certificate() -> None:
    with pytest.raises(UnknownStageError, match="certificate"):
        read_deployment({"stage": "prod", "domain": "api.example.com"}, {})


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_stages_that_people_rely_on_are_protected_and_behind_the_firewall(name: str) -> None:
    stage = STAGES[name]
    assert stage.protected
    assert stage.edge
    assert stage.database is not None
    assert stage.database.readers >= 1


def test_prod_can_be_taken_back_to_any_moment_of_five_weeks() -> None:
    database = STAGES["prod"].database
    assert database is not None
    assert database.backup_days == 35


def test_names_in_aws_have_dashes() -> None:
    assert STAGES["prod"].named("billing_outcomes") == "rmap-prod-billing-outcomes"
    assert STAGES["local"].secret("database/app") == "rmap/local/database/app"


def test_passkeys_are_for_the_apis_name_unless_said_otherwise() -> None:
    named = {"stage": "prod", "domain": "api.example.com", "certificate": "arn"}
    found = read_deployment(named, {})
    assert (found.passkey_domain, found.passkey_origins) == ("api.example.com", ("https://api.example.com",))
    pages = {"rp_id": "example.com", "rp_origins": "https://app.example.com, https://example.com"}
    found = read_deployment({**named, **pages}, {})
    assert found.passkey_domain == "example.com"
    assert found.passkey_origins == ("https://app.example.com", "https://example.com")
    assert read_deployment({"stage": "prod"}, {}).passkey_domain == "", "known once it is deployed"


def test_subdomains_are_there_where_a_base_domain_is() -> None:
    assert read_deployment({"stage": "prod"}, {}).base_domain == ""
    assert read_deployment({"stage": "prod", "base_domain": "Rmap.example"}, {}).base_domain == "rmap.example"
    assert read_deployment({}, {}).base_domain == "rmap.localhost"


def test_locally_passkeys_are_for_localhost() -> None:
    found = read_deployment({}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:14566"})
    assert found.passkey_domain == "localhost"
    assert set(found.passkey_origins) == {"http://localhost", "http://localhost:14566", "http://127.0.0.1:14566"}
