"""Headers, filters by what events are about, keys and their overlap, answers to challenges, retention."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.outbound.model import Outcome
from shared.outbound.rules.addresses import allow_list
from shared.webhooks.errors import EndpointRefused, KeyNotFound, LastKey, TooManyKeys
from shared.webhooks.model import (
    Algorithm,
    Endpoint,
    EndpointDraft,
    EndpointId,
    Filters,
    KeyId,
    Manner,
    SigningKey,
)
from shared.webhooks.rules import challenges, endpoints, filters, headers, retention, retries
from tenant_context.clock import uuid7
from tenant_context.plans import PLANS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SITE, OTHER, CAMPAIGN = (UUID(int=number) for number in (1, 2, 3))
DRAFT = EndpointDraft("https://hooks.example.com/", "", Filters(("*",)), enabled=True)


def key(algorithm: Algorithm = Algorithm.HMAC) -> SigningKey:
    return SigningKey(KeyId(uuid7()), algorithm, b"sealed", NOW)


def endpoint(*keys: SigningKey) -> Endpoint:
    return endpoints.create(EndpointId(uuid7()), DRAFT, keys or (key(),), {}, "user:1", NOW)


def pointers(draft: EndpointDraft, before: Endpoint | None = None) -> list[str]:
    with pytest.raises(EndpointRefused) as refused:
        endpoints.check(draft, (), before)
    return [error.pointer for error in refused.value.errors]


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "x_odd", "X-Tenant"])
def test_a_header_of_ones_own_may_be_sent(name: str) -> None:
    assert headers.check({name: "Bearer abc.def"}) == []


@pytest.mark.parametrize(
    "name",
    ["webhook-id", "Webhook-Signature", "webhook-anything", "Host", "Content-Type", "content-length", "User-Agent",
     "Transfer-Encoding", "connection", "Expect", "TE", "X-Forwarded-For", "Cookie", "x-rmap-stage"],
)  # fmt: skip
def test_our_own_headers_cannot_be_set(name: str) -> None:
    assert [error.code for error in headers.check({name: "x"})] == ["reserved-header"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("", "x"), ("a b", "x"), ("a:", "x"), ("é", "x"), ("a" * 65, "x"), ("a", ""), ("a", "x\r\nhost: y"), ("a", " x"),
     ("a", "x\x00"), ("a", "ü"), ("a", "x" * 1001), ("a\r\nb", "x")],
)  # fmt: skip
def test_a_header_that_is_none_or_would_be_two_is_refused(name: str, value: str) -> None:
    assert [error.code for error in headers.check({name: value})] == ["header"]


def test_headers_are_bounded_and_named_once() -> None:
    assert {error.code for error in headers.check({f"h{n}": "x" for n in range(21)})} == {"too-long"}
    assert {error.code for error in headers.check({f"h{n}": "x" * 900 for n in range(5)})} == {"too-long"}
    assert {error.code for error in headers.check({"a": "x", "A": "y"})} == {"header-twice"}


def test_a_header_without_a_value_keeps_the_one_there_is() -> None:
    endpoints.check(replace(DRAFT, headers={"X-Key": None}), (), replace(endpoint(), headers={"x-key": b"sealed"}))
    assert pointers(replace(DRAFT, headers={"X-Key": None})) == ["/headers/X-Key"]


@pytest.mark.parametrize(
    ("url", "stays"),
    [
        ("https://hooks.example.com/other?path", True),
        ("HTTPS://HOOKS.example.com:443", True),
        ("https://hooks.example.org/", False),
        ("https://a.hooks.example.com/", False),
        ("http://127.0.0.1:80/", False),
        ("https://127.0.0.1:8443/", False),
    ],
)
def test_a_value_of_a_header_is_for_one_scheme_host_and_port(url: str, *, stays: bool) -> None:
    before, allowed = replace(endpoint(), headers={"x-key": b"sealed", "x-a": b"sealed"}), allow_list(["127.0.0.0/8"])
    for said in (None, {"X-Key": None, "x-a": None}):
        draft = replace(DRAFT, url=url, headers=said)
        if stays:
            endpoints.check(draft, allowed, before)
            continue
        with pytest.raises(EndpointRefused) as refused:
            endpoints.check(draft, allowed, before)
        assert {error.pointer.lower() for error in refused.value.errors} == {"/headers/x-key", "/headers/x-a"}
        assert {error.code for error in refused.value.errors} == {"another-origin"}
    endpoints.check(replace(DRAFT, url=url, headers={"x-key": "anew"}), allowed, before)
    endpoints.check(replace(DRAFT, url=url, headers={}), allowed, before)


def test_no_value_of_a_header_is_kept_from_a_url_that_may_be_called_no_more() -> None:
    before = replace(endpoint(), url="http://127.0.0.1/", headers={"x-key": b"sealed"})
    assert pointers(DRAFT, before) == ["/headers/x-key"]


def test_what_is_out_of_bounds_is_named() -> None:
    assert pointers(replace(DRAFT, manner=Manner(payload_version=2, retry_schedule=(0,)))) == [
        "/payload_version",
        "/retry_schedule",
    ]


def event(subject: str, **data: Any) -> dict[str, Any]:
    return {"type": "x.y", "subject": subject, "data": data}


@pytest.mark.parametrize(
    ("envelope", "passes"),
    [
        (event(f"site/{SITE}"), True),
        (event(f"sensor/{OTHER}", site_id=str(SITE)), True),
        (event("batch/1", site_ids=[str(OTHER), str(SITE)]), True),
        (event(f"campaign/{CAMPAIGN}"), True),
        (event(f"site/{OTHER}"), False),
        (event(f"campaign/{SITE}"), False),
        (event(f"tenant/{OTHER}"), False),
        (event("batch/1", site_ids=[7, None], site_id=None), False),
    ],
)
def test_named_sites_and_campaigns_let_through_what_is_about_them(envelope: dict[str, Any], passes: bool) -> None:  # noqa: FBT001
    wanted = Filters(("*",), site_ids=(SITE,), campaign_ids=(CAMPAIGN,))
    assert filters.passes(wanted, envelope, filters.sites_of(envelope)) is passes
    assert filters.passes(Filters(("*",)), envelope, frozenset())


def test_what_a_place_is_in_and_where_it_was_are_places_that_an_event_is_about() -> None:
    moved = event(f"site/{SITE}", parent_id=str(OTHER), previous_parent_id=str(CAMPAIGN))
    assert filters.sites_of(moved) == {str(SITE), str(OTHER), str(CAMPAIGN)}
    assert filters.passes(Filters(("*",), site_ids=(OTHER,)), event(f"site/{SITE}"), {str(SITE), str(OTHER)})
    assert filters.sites_of(event("site/nonsense", site_id="also")) == frozenset()


def test_a_rotation_leaves_the_key_before_its_overlap_and_no_longer() -> None:
    first = endpoint()
    second = endpoints.rotate(first, key(), 24 * HOUR, NOW)
    assert len(endpoints.signing(second.keys, NOW + 23 * HOUR)) == 2
    assert endpoints.signing(second.keys, NOW + 24 * HOUR) == [second.keys[0]]
    at_once = endpoints.rotate(first, key(), timedelta(0), NOW)
    assert endpoints.signing(at_once.keys, NOW) == [at_once.keys[0]]


def test_another_rotation_does_not_lengthen_an_overlap() -> None:
    second = endpoints.rotate(endpoint(), key(), HOUR, NOW)
    third = endpoints.rotate(second, key(), 7 * 24 * HOUR, NOW)
    assert [one.until for one in third.keys] == [None, NOW + 7 * 24 * HOUR, NOW + HOUR]


def test_keys_of_the_other_algorithm_sign_on_beside() -> None:
    both = endpoints.rotate(endpoint(), key(Algorithm.ED25519), HOUR, NOW)
    assert [(one.algorithm, one.until) for one in both.keys] == [("ed25519", None), ("hmac", None)]
    alone = endpoints.end_key(both, both.keys[1].id, NOW)
    assert [one.algorithm for one in alone.keys] == ["ed25519"]
    with pytest.raises(LastKey):
        endpoints.end_key(alone, alone.keys[0].id, NOW)


def test_a_key_that_ended_is_not_there_and_the_last_one_without_an_end_stays() -> None:
    rotated = endpoints.rotate(endpoint(), key(), HOUR, NOW)
    new, old = rotated.keys
    assert endpoints.end_key(rotated, old.id, NOW).keys == (new,)
    with pytest.raises(KeyNotFound):
        endpoints.end_key(rotated, old.id, NOW + HOUR)
    with pytest.raises(LastKey):
        endpoints.end_key(rotated, new.id, NOW)


def test_no_delivery_carries_more_than_six_signatures() -> None:
    made = endpoint()
    for _ in range(5):
        made = endpoints.rotate(made, key(), 24 * HOUR, NOW)
    with pytest.raises(TooManyKeys):
        endpoints.rotate(made, key(), 24 * HOUR, NOW)
    assert len(endpoints.rotate(made, key(), 24 * HOUR, NOW + 25 * HOUR).keys) == 2


def test_another_url_has_to_be_proved_and_the_same_one_need_not() -> None:
    before = replace(endpoint(), must_prove=False)
    assert not endpoints.amend(before, DRAFT, {}, "user:1", NOW).must_prove
    assert endpoints.amend(before, replace(DRAFT, url="https://other.example/"), {}, "user:1", NOW).must_prove


def test_who_switched_it_off_first_is_remembered() -> None:
    off = endpoints.amend(endpoint(), replace(DRAFT, enabled=False), {}, "user:2", NOW)
    again = endpoints.amend(off, replace(DRAFT, enabled=False), {}, "user:3", NOW + HOUR)
    assert again.disabled is not None
    assert (again.disabled.by, again.disabled.at) == ("user:2", NOW)
    assert endpoints.amend(again, DRAFT, {}, "user:3", NOW).enabled


@pytest.mark.parametrize(
    "body", [b"c_abc", b" c_abc\n", b'"c_abc"', b'{"challenge": "c_abc"}', b'{"challenge":"c_abc","ok":true}']
)
def test_a_challenge_is_answered_by_itself_or_as_a_member(body: bytes) -> None:
    assert challenges.judge(Outcome(200, body=body), "c_abc") == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ok",
        b"c_abcd",
        b"c_ab",
        b"\xff\xfe",
        b'{"data": {"challenge": "c_abc"}}',
        b'{"json": {"data": {"challenge": "c_abc"}}}',
        b'{"challenge": ["c_abc"]}',
        b'{"challenge": "\\ud800"}',
        b'{"challenge": "c_abc"',
        b"{" * 2000,
        b'{"a":' * 1000,
        b"x" * 20_000 + b"c_abc",
    ],
)
def test_whoever_sends_back_what_came_or_something_else_does_not_pass(body: bytes) -> None:
    assert challenges.judge(Outcome(200, body=body), "c_abc") == challenges.UNANSWERED


def test_an_answer_that_is_no_success_does_not_pass() -> None:
    refused = Outcome(302, "The receiver answered 302; redirects are not followed.", b"c_abc")
    assert challenges.judge(refused, "c_abc") == refused.error


def test_every_plan_keeps_logs_longer_than_any_schedule_runs() -> None:
    assert set(retention.DAYS) == set(PLANS)
    assert min(retention.DAYS.values()) * 86_400 > retries.LONGEST_SCHEDULE * (1 + retries.JITTER)
    assert retention.keep_until("enterprise", NOW) == int((NOW + timedelta(days=90)).timestamp())
    assert retention.keep_until("of old", NOW) == int((NOW + timedelta(days=14)).timestamp())
