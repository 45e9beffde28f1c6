"""Every sample event, by hand to the deployed function it is for: no sample is stale, no function is without one."""

import json
from pathlib import Path

import pytest

from infra import catalog
from infra.settings import STAGES
from infra.vocabulary import Http
from local.demo.tenants import SignedIn, device_key
from local.stack import Stack

EVENTS = Path(__file__).parents[2] / "events"
SAMPLES = sorted(EVENTS.rglob("*.json"))


def test_every_function_has_a_sample() -> None:
    assert {row.name for row in catalog.FUNCTIONS} == {path.parent.name for path in SAMPLES}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_function_handles_its_sample(stack: Stack, acme: SignedIn, path: Path) -> None:
    text = path.read_text().replace("TOKEN", acme.token)
    if '"KEY"' in text:
        text = text.replace('"KEY"', f'"{device_key(acme, "sample").key}"')
    name = STAGES["local"].named(path.parent.name)
    answer = stack.client("lambda").invoke(FunctionName=f"{name}:live", Payload=text.encode())
    payload = json.loads(answer["Payload"].read() or b"null")
    assert "FunctionError" not in answer, payload
    if catalog.function(path.parent.name).has(Http):
        assert payload["statusCode"] < 500, payload
