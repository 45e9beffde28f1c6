"""Every id that a query or a body may hold, of another tenant's thing: it is as if there were no such thing.

The places come from the API's description, so that a new one is judged without a line here.
"""

import csv
import json
from typing import Any

import pytest

from local.demo.api import Api
from local.stack import Stack
from tenant_context.clock import uuid7
from tests.e2e.conftest import Reply, Wire, newcomer
from tests.isolation.conftest import filled
from tests.isolation.mentions import Mention, mentions
from tests.isolation.test_addresses import told
from tests.isolation.things import Things

pytestmark = pytest.mark.timeout(900)
"""The first test of a process that asks for one of everything waits for timed work (`tests.e2e.conftest`)."""

ALL = list(mentions())
every_mention = pytest.mark.parametrize("mention", ALL, ids=str)
REFUSED = {403, 404, 422}
KEPT_AS_GIVEN = {
    f"{method} body {field}": "narrows the caller's own events, and is not looked up"
    for method in ("POST /api/v1/webhooks/endpoints", "PUT /api/v1/webhooks/endpoints/{endpoint_id}")
    for field in ("site_ids[]", "campaign_ids[]")
}
NEED_ANOTHER_OF_ONES_OWN = {
    "POST /api/v1/imports body organization": "`tests/e2e/test_exports.py` has two organizations of one owner",
    "POST /api/v1/imports body export": "the same",
    **{
        f"GET /api/v1/webhooks/endpoints/{{endpoint_id}}/{log} query message": (
            "`tests/functions/webhooks/test_log.py` has attempts"
        )
        for log in ("attempts", "attempts/export")
    },
    "POST /api/v1/organizations/{organization_id}/owner body user_id": "`tests/e2e/test_members.py` has two members",
}
"""What cannot be done with the caller's one thing of a kind; elsewhere it is seen to work."""


@pytest.fixture(scope="module")
def own(stack: Stack) -> Things:
    """One of everything of whoever asks, and room for what asking makes."""
    made = filled(stack, newcomer(stack.api_url, "curious"))
    operator = Api(stack.api_url, token=stack.operator_secret)
    for name in ("webhook_endpoints", "sensors", "campaigns"):
        room = {"kind": "value", "name": name, "amount": 100, "reason": "asked for over and over"}
        operator.post(f"/api/v1/operator/organizations/{made.owner.organization}/grants", room)
    return made


def ask(mention: Mention, own: Things, meant: str) -> Reply:
    wire = Wire(own.owner.api.url, own.owner.token)
    address, body = mention.address(own.ids, meant), mention.body(own.ids, meant)
    headers = {"content_type": "application/json"} if body is not None else {}
    if mention.method in {"PUT", "PATCH", "DELETE"}:
        headers["if_match"] = wire.send("GET", address).headers.get("etag", '"1"')
    return wire.send(mention.method, address, body, **headers)


def listed(reply: Reply) -> list[Any]:
    """What a list or an export holds: its items, or its rows without the line that names the columns."""
    if reply.headers["content-type"].startswith("text/csv"):
        return list(csv.DictReader(reply.body.decode().splitlines()))
    items: list[Any] = reply.json["items"]
    return items


def without_what_each_answer_has_of_its_own(mention: Mention, reply: Reply, meant: str) -> str:
    """The answer as text: the id that was asked for in one form, what a write makes anew left out."""
    status, said = told(reply)
    anew = ("id", "created_at", "updated_at", "version", "secret", "keys", "proof", "verification")
    kept = {name: value for name, value in said.items() if not (str(mention) in KEPT_AS_GIVEN and name in anew)}
    return f"{status} {json.dumps(kept, sort_keys=True)}".replace(meant, "…")


@every_mention
def test_an_id_of_another_tenant_in_a_query_or_a_body_is_nobodys(mention: Mention, own: Things, things: Things) -> None:
    foreign, missing = things.ids[mention.kind(things.ids)], str(uuid7())
    reply = ask(mention, own, foreign)
    assert [name for name, value in things.ids.items() if value != foreign and value.encode() in reply.body] == []
    if mention.method == "GET":
        assert reply.status in REFUSED or (reply.status, listed(reply)) == (200, []), reply.body[:500]
    elif str(mention) not in KEPT_AS_GIVEN:
        assert reply.status in REFUSED, reply.body[:500]
    seen, wanted = (
        without_what_each_answer_has_of_its_own(mention, one, meant)
        for one, meant in ((reply, foreign), (ask(mention, own, missing), missing))
    )
    assert seen == wanted


@pytest.mark.parametrize("mention", [one for one in ALL if str(one) not in NEED_ANOTHER_OF_ONES_OWN], ids=str)
def test_an_id_of_ones_own_is_taken_at_the_same_place(mention: Mention, own: Things) -> None:
    """What makes the test above worth something: nothing else was wrong with what was asked."""
    reply = ask(mention, own, own.ids[mention.kind(own.ids)])
    assert reply.status < 300, reply.body[:500]
    if mention.method == "GET":
        assert listed(reply) != []


def test_every_place_is_found_and_what_is_said_of_some_is_said_of_places_there_are() -> None:
    found = set(map(str, ALL))
    assert found >= {
        "GET /api/v1/sensors query site",
        "GET /api/v1/ingest/rejected query batch",
        "POST /api/v1/campaigns body site_ids[]",
        "POST /api/v1/sensors body site_id",
        *KEPT_AS_GIVEN,
        *NEED_ANOTHER_OF_ONES_OWN,
    }


def test_a_place_for_an_id_of_what_no_tenant_here_has_fails_by_its_name() -> None:
    with pytest.raises(AssertionError, match=r"POST /api/v1/panels body panel_ids\[\]"):
        Mention("POST", "/api/v1/panels", "body", "panel_ids[]").kind({"site_id": "1"})
