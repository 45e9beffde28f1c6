"""Who comes in how: what a provider's claims say of somebody, and which proofs a tenant takes."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from shared.identity.errors import SessionEnded, SsoRequired
from shared.identity.model import Assurance, Membership, Provider
from shared.identity.rules import (
    FEDERATED_SECONDS,
    REFRESH_SECONDS,
    check_way,
    holds,
    refresh_token,
    role_of,
    vouched_proofs,
)
from shared.identity.service.callers import user_of
from tenant_context.aws import AwsClient
from tests.conftest import MakeTenant
from tests.shared.identity.services import CALLER, PEPPER, Stores

NOW = int(datetime(2026, 3, 2, 9, 0, tzinfo=UTC).timestamp())
MAPPED = {"admins": "admin", "buyers": "manager", "staff": "viewer"}

ISSUER = "https://id.example"
PASSWORD = ("pwd",)
TWO = ("pwd", "otp")
PASSKEY = ("hwk", "user")
VOUCHED = ("fed",)
VOUCHED_TWICE = ("fed", "mfa")
BOTH = ("fed", "pwd")


def provider(claim: str = "groups", *, default: str | None = "member") -> Provider:
    return Provider("https://id.example", "rmap", b"", claim, MAPPED, default, ())


def place(role: str = "owner", *, sso_only: bool = True, provider: str | None = ISSUER) -> Membership:
    return Membership(uuid4(), "acme", "Acme", role, "active", sso_only=sso_only, provider=provider)


def by(*proofs: str) -> Assurance:
    return Assurance(min(len(proofs), 2), proofs, NOW, ISSUER if "fed" in proofs else "")


@pytest.mark.parametrize(
    ("said", "role"),
    [
        (["admins"], "admin"),
        (["staff", "admins"], "admin"),
        (["staff", "buyers", "others"], "manager"),
        ("buyers", "manager"),
        (["others"], "member"),
        ([], "member"),
        (None, "member"),
        ("", "member"),
        ("ADMINS", "member"),
        ("admins,staff", "member"),
        ("admins ", "member"),
        ([["admins"]], "member"),
        ({"admins": True}, "member"),
        ([None, 7, {}, "staff"], "viewer"),
        (7, "member"),
        (True, "member"),
    ],
    ids=repr,
)
def test_the_first_role_of_the_mapping_that_the_claim_holds_is_given(said: Any, role: str) -> None:
    assert role_of(provider(), {"groups": said}) == role


def test_a_claim_that_is_not_there_gives_the_default_role_or_none() -> None:
    assert role_of(provider(), {}) == "member"
    assert role_of(provider(default=None), {}) is None
    assert role_of(provider(default=None), {"groups": ["others"]}) is None
    assert role_of(provider(default=None), {"groups": ["staff"]}) == "viewer"


def test_without_a_claim_to_read_everybody_gets_the_default_role() -> None:
    assert role_of(provider(""), {"groups": ["admins"], "": "admins"}) == "member"


@pytest.mark.parametrize(
    ("amr", "proofs"),
    [
        (["mfa"], VOUCHED_TWICE),
        (["pwd", "mfa"], VOUCHED_TWICE),
        (["pwd", "otp"], VOUCHED),
        (["pwd"], VOUCHED),
        ([], VOUCHED),
        (None, VOUCHED),
        ("mfa", VOUCHED),
        ("pwd mfa", VOUCHED),
        ({"mfa": True}, VOUCHED),
        ([["mfa"]], VOUCHED),
        (["MFA"], VOUCHED),
        (True, VOUCHED),
    ],
    ids=repr,
)
def test_a_provider_vouches_twice_only_where_it_says_so(amr: Any, proofs: tuple[str, ...]) -> None:
    assert vouched_proofs({"amr": amr}) == proofs
    assert vouched_proofs({}) == VOUCHED


def lets_in(membership: Membership, *proofs: str) -> bool:
    try:
        check_way(membership, by(*proofs))
    except SsoRequired:
        return False
    return True


@pytest.mark.parametrize(
    ("role", "proofs", "good"),
    [
        ("owner", PASSWORD, False), ("owner", TWO, True), ("owner", PASSKEY, True), ("owner", VOUCHED, True),
        ("admin", PASSWORD, False), ("admin", TWO, False), ("admin", PASSKEY, False), ("admin", VOUCHED, True),
        ("viewer", TWO, False), ("viewer", VOUCHED_TWICE, True), ("owners", TWO, False), ("OWNER", TWO, False),
        ("viewer", BOTH, True),
    ],
)  # fmt: skip
def test_where_people_come_in_by_the_provider_alone_owners_with_two_proofs_do_too(
    role: str, proofs: tuple[str, ...], *, good: bool
) -> None:
    assert lets_in(place(role), *proofs) is good
    assert holds(place(role), by(*proofs)) is good


@pytest.mark.parametrize("proofs", [PASSWORD, TWO, PASSKEY, VOUCHED, VOUCHED_TWICE, BOTH])
@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_elsewhere_any_proof_is_a_way_in(role: str, proofs: tuple[str, ...]) -> None:
    assert lets_in(place(role, sso_only=False), *proofs)
    assert holds(place(role, sso_only=False), by(*proofs))


@pytest.mark.parametrize("sso_only", [False, True])
@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_what_a_provider_vouched_for_ends_with_the_provider(role: str, *, sso_only: bool) -> None:
    gone = place(role, sso_only=sso_only, provider=None)
    for proofs in (VOUCHED, VOUCHED_TWICE, BOTH):
        assert not holds(gone, by(*proofs))
    assert holds(gone, by(*PASSWORD)) is not sso_only
    assert holds(gone, by(*TWO)) is (not sso_only or role == "owner")


@pytest.mark.parametrize(
    ("proofs", "seconds"),
    [(VOUCHED, 12 * 3600), (VOUCHED_TWICE, 12 * 3600), (BOTH, 12 * 3600), (PASSWORD, 30 * 86_400), (TWO, 30 * 86_400)],
)
def test_a_session_that_a_provider_vouched_for_ends_after_twelve_hours_however_often_it_is_refreshed(
    stores: Stores, wire: AwsClient, make_tenant: MakeTenant, proofs: tuple[str, ...], seconds: int
) -> None:
    assert (FEDERATED_SECONDS, REFRESH_SECONDS) == (12 * 3600, 30 * 86_400)
    tokens = stores.tokens(wire)
    owner = make_tenant("acme")
    there = replace(place(sso_only=False), tenant=owner.tenant)
    token = tokens.open(user_of(owner), there, CALLER, by(*proofs)).refresh_token
    for passed in (seconds / 4, seconds / 2, seconds - 1):
        stores.clock.passed = passed
        session, was_present = tokens.rotate(token)
        assert was_present
        token = refresh_token(session, PEPPER)
    stores.clock.passed = seconds
    with pytest.raises(SessionEnded):
        tokens.rotate(token)
