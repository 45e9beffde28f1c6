"""The whole local cloud, with a small CDK app in the platform's place."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
import requests
from botocore.exceptions import ClientError

from infra.vocabulary import Secret
from local import stack
from local.cloud import Cloud
from local.deploy import MARK, App
from local.errors import LocalError
from local.instance import Instance
from local.stack import Stack
from tests.local.harness import eventually

TINY = Path(__file__).with_name("tiny_app.py")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """A copy, so that a test may change it."""
    folder = tmp_path_factory.mktemp("app")
    (folder / TINY.name).write_text(TINY.read_text())
    return App((sys.executable, TINY.name), folder, (TINY.name,), afterwards=lambda _: None)


@pytest.fixture
def running(shared_instance: Instance, app: App) -> Stack:
    """One deployment serves the module; every test brings back up what another took down."""
    (app.root / TINY.name).write_text(TINY.read_text())
    return stack.start(shared_instance, app=app)


def hello(running: Stack) -> str:
    return requests.get(f"{running.api_url}/anything", timeout=10).text


def test_the_api_answers_and_nothing_is_deployed_twice(running: Stack, app: App) -> None:
    assert hello(running) == "hello"
    again = stack.start(running.instance, app=app)
    assert (again.deployed, again.api_url) == (False, running.api_url)


def test_a_change_is_deployed(running: Stack, app: App) -> None:
    place = app.root / TINY.name
    place.write_text(place.read_text().replace('ANSWER = "hello"', 'ANSWER = "changed"'))
    assert stack.start(running.instance, app=app).deployed is True
    eventually(lambda: hello(running) == "changed", "the new version")


def test_everything_comes_back_after_down(running: Stack, app: App) -> None:
    with psycopg.connect(running.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    running.client("dynamodb").put_item(TableName="rmap-local-tiny", Item={"pk": {"S": "kept"}})
    requests.post(f"{running.webhook_receiver_url}/hooks/acme", data="kept", timeout=5)
    assert stack.stop(running.instance) is True
    assert stack.stop(running.instance) is False
    again = stack.start(running.instance, app=app)
    assert (again.deployed, hello(again)) == (False, "hello")
    with psycopg.connect(again.database_app_url) as connection:
        connection.execute("SELECT 1")
    item = again.client("dynamodb").get_item(TableName="rmap-local-tiny", Key={"pk": {"S": "kept"}})
    assert "Item" in item
    assert requests.get(f"{again.webhook_receiver_url}/requests", timeout=5).json()["count"] == 1


def kill(running: Stack) -> None:
    process = running.cloud.server.process()
    assert process is not None
    process.kill()
    process.wait(10)


def test_an_endpoint_killed_before_it_ever_saved_is_deployed_to_again(running: Stack, app: App) -> None:
    running.client("s3").put_object(Bucket="rmap-local-tiny", Key="exports/../kept", Body=b"kept")
    kill(running)
    shutil.rmtree(running.instance.state / "aws", ignore_errors=True)
    again = stack.start(running.instance, app=app)
    assert (again.deployed, hello(again)) == (True, "hello")
    kept = again.client("s3").get_object(Bucket="rmap-local-tiny", Key="exports/../kept")
    assert kept["Body"].read() == b"kept"


def test_an_endpoint_killed_later_goes_on_from_what_it_saved_last(running: Stack, app: App) -> None:
    stack.stop(running.instance)
    kill(stack.start(running.instance, app=app))
    again = stack.start(running.instance, app=app)
    assert (again.deployed, hello(again)) == (False, "hello")


def test_what_an_endpoint_believes_of_a_first_deploy_that_did_not_end_is_forgotten(running: Stack, app: App) -> None:
    """It may have taken a step for done that nobody did: it went down with whoever was to do it."""
    running.client("ssm").delete_parameter(Name=MARK)

    def ends_here(_: Cloud) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stack.start(running.instance, app=replace(app, afterwards=ends_here))
    running.client("ssm").put_parameter(Name="/half", Value="done", Type="String")
    stack.stop(running.instance)
    again = stack.start(running.instance, app=app)
    assert (again.deployed, hello(again)) == (True, "hello")
    with pytest.raises(ClientError, match="ParameterNotFound"):
        again.client("ssm").get_parameter(Name="/half")
    stack.stop(again.instance)
    assert not stack.start(again.instance, app=app).deployed, "one that ended is believed"


def test_what_the_endpoint_drops_from_templates_is_set(running: Stack) -> None:
    asked = {"Origin": "https://acme.example", "Access-Control-Request-Method": "GET"}
    allowed = requests.options(f"{running.api_url}/anything", headers=asked, timeout=10)
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://acme.example"
    ttl = running.client("dynamodb").describe_time_to_live(TableName="rmap-local-tiny")
    assert ttl["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"


def test_functions_find_their_secrets_and_stripe_knows_the_api(running: Stack) -> None:
    secrets = running.client("secretsmanager")
    app_secret = json.loads(secrets.get_secret_value(SecretId="rmap/local/database/app")["SecretString"])
    assert running.database_app_url.startswith(f"postgresql://{app_secret['username']}:{app_secret['password']}@")
    billing = json.loads(secrets.get_secret_value(SecretId="rmap/local/stripe")["SecretString"])
    key = {"Authorization": f"Bearer {billing['api_key']}"}
    endpoints = requests.get(f"{running.stripe_url}/v1/webhook_endpoints", headers=key, timeout=5).json()["data"]
    assert [endpoint["url"] for endpoint in endpoints] == [f"{running.api_url}/api/v1/stripe/events"]
    assert billing["webhook_secret"].startswith("whsec_")


def test_every_secret_that_the_platform_reads_is_there(running: Stack) -> None:
    secrets = running.client("secretsmanager")
    for name in Secret:
        assert secrets.get_secret_value(SecretId=f"rmap/local/{name}")["SecretString"]


def test_the_description_is_private_and_keeps_the_demo_users(running: Stack, app: App) -> None:
    place = running.instance.description
    assert place.stat().st_mode & 0o077 == 0
    described = json.loads(place.read_text())
    described["demo_users"] = [{"tenant": "acme", "email": "a@acme.example", "password": "x"}]
    place.write_text(json.dumps(described))
    stack.start(running.instance, app=app)
    assert json.loads(place.read_text()) == described


def test_two_starts_at_once_deploy_a_change_once(running: Stack, app: App) -> None:
    place = app.root / TINY.name
    place.write_text(place.read_text() + "\n# changed\n")
    stack.stop(running.instance)
    with ThreadPoolExecutor() as pool:
        stacks = list(pool.map(lambda _: stack.start(running.instance, app=app), range(2)))
    assert sorted(found.deployed for found in stacks) == [False, True]
    assert {found.api_url for found in stacks} == {running.api_url}


def test_a_broken_app_shows_its_last_words_and_the_next_start_goes_on(running: Stack, app: App) -> None:
    place = app.root / TINY.name
    good = place.read_text()
    place.write_text("raise SystemExit('the catalog lists a function that is missing')")
    with pytest.raises(LocalError, match="could not be synthesized") as error:
        stack.start(running.instance, app=app)
    assert "the catalog lists a function that is missing" in error.value.details
    place.write_text(good)
    assert hello(stack.start(running.instance, app=app)) == "hello"


def test_a_lost_database_takes_the_endpoints_memory_of_it_along(running: Stack, app: App) -> None:
    stack.stop(running.instance)
    (running.instance.state / "postgres").rename(running.instance.state / "postgres.elsewhere")
    again = stack.start(running.instance, app=app)
    assert (again.deployed, hello(again)) == (True, "hello")


def test_status_tells_who_answers(running: Stack) -> None:
    assert all(answers for *_, answers in stack.status(running.instance))
    kill(running)
    down = {name for name, pid, *_ in stack.status(running.instance) if pid is None}
    assert down == {"aws"}


def test_down_by_command_says_what_it_did(running: Stack) -> None:
    command = [sys.executable, "-m", "local", "down", "--instance", running.instance.name]
    environment = {"RMAP_HOME": str(running.instance.home), "PATH": "/usr/bin:/bin"}
    said = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout for _ in range(2)
    ]
    assert "Stopped; all data is kept." in said[0]
    assert "Nothing was running." in said[1]


def test_servers_listen_on_the_loopback_interface_only(running: Stack) -> None:
    for name, pid, *_ in stack.status(running.instance):
        found = psutil.Process(pid).net_connections("tcp")
        assert {one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN} == {"127.0.0.1"}, name
