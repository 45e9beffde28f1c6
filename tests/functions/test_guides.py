"""What the guides show can be done as it stands there: each sample is taken, the verifying code verifies."""

import re
from pathlib import Path
from typing import Any

import pytest

from shared.webhooks.model import Algorithm
from shared.webhooks.rules import signature
from tenant_context.clock import utc_now
from tests.functions.door import COUNTS, World

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
TYPES = {"json": "application/json", "xml": "application/xml", "csv": "text/csv"}
SERIALS = (
    "ACCC8E000001", "ACCCDE000002", "00:6E:02:00:00:03", "00:6E:02:00:00:04", "V4D-00000005", "44:47:cc:00:00:07",
    "00:02:D1:00:00:06", "door",
)  # fmt: skip


def blocks(guide: str) -> list[tuple[str, str, str]]:
    """The language, the word beside it and the text of each block of a guide that has such a word."""
    text = (GUIDES / guide).read_text()
    return re.findall(r"^```(\w+) (\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("language", "where", "text"), blocks("devices.md"))
def test_each_sample_of_a_push_is_taken(language: str, where: str, text: str) -> None:
    world = World()
    world.add(*SERIALS)
    paths = [COUNTS] if where == "counts" else ["/api/v1/ingest/vendors", f"/api/v1/ingest/{where}"]
    query = "sensor=door" if (language, where) == ("csv", "vivotek") else ""
    for path in paths:
        status, answer = world.post(path, text, TYPES[language], query)
        assert (status, answer["rejected"]) == (202, []), path
        assert answer["accepted"] > 0, path


def test_every_vendor_has_a_sample() -> None:
    assert {where for _, where, _ in blocks("devices.md")} == {
        "axis", "counts", "hikvision", "irisys", "vivotek", "xovis",
    }  # fmt: skip


def test_the_verifying_code_accepts_what_we_sign_and_nothing_else() -> None:
    [code] = re.findall(
        r"^```python\n(.*?)^```$", (GUIDES / "receive-webhooks.md").read_text(), re.MULTILINE | re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  the guide's own
    key, other = bytes(range(32)), bytes(range(1, 33))
    now = int(utc_now().timestamp())
    secret = signature.shown(key)
    both = [(Algorithm.HMAC, other), (Algorithm.ED25519, bytes(32)), (Algorithm.HMAC, key)]
    headers = signature.headers(both, "msg_1", now, b'{"a":1}')
    assert names["verified"](secret, headers, b'{"a":1}')
    assert not names["verified"](secret, headers, b'{"a":2}')
    assert not names["verified"](signature.shown(bytes(32)), headers, b'{"a":1}')
    assert not names["verified"](secret, signature.headers(both, "msg_1", now - 301, b"{}"), b"{}")
