"""Domains that change hands: whoever holds the DNS has them, after the holder was told."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from shared.identity.errors import ChallengeMissing, DomainTaken
from shared.identity.gateway.egress import Egress
from shared.identity.service.challenges import RECORD, Challenges
from shared.places.errors import DomainContested
from shared.places.repository.domains import CustomDomainRepository
from shared.places.service.domains import GRACE, LAPSE, CustomDomains
from tenant_context.clock import rfc3339
from tenant_context.errors import Forbidden
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.shared.places.conftest import BASE, Dns, Tenants, at, claim, on_plan, told


@pytest.fixture
def now() -> list[datetime]:
    """The time, which a test may move."""
    return [datetime.now(UTC)]


@pytest.fixture
def handed_over(
    clone: Clone, two_tenants: Tenants, dns: Dns, now: list[datetime]
) -> Iterator[tuple[Database, CustomDomains]]:
    """A domain that acme has verified, and globex claims with the only challenge in its DNS."""
    acme, globex = two_tenants
    with closing(Database(clone.settings(), clock=lambda: now[0])) as timed:
        challenges = Challenges(cast("Egress", dns))
        domains = CustomDomains(timed, CustomDomainRepository(timed), challenges, base=BASE, own=(BASE,))
        for tenant in two_tenants:
            on_plan(timed, tenant, "enterprise")
        dns.hold(claim(timed, domains, acme, "media.example"))
        domains.verify(acme, "media.example")
        dns.texts.clear()
        dns.hold(claim(timed, domains, globex, "media.example"))
        yield timed, domains


def test_a_domain_that_changed_hands_is_taken_over_after_days_in_which_its_holder_was_told(
    two_tenants: Tenants, handed_over: tuple[Database, CustomDomains], now: list[datetime]
) -> None:
    acme, globex = two_tenants
    database, domains = handed_over
    begun = now[0]
    for moment in (begun, begun + GRACE - timedelta(seconds=1)):
        now[0] = moment
        with pytest.raises(DomainContested, match=rfc3339(begun + GRACE)):
            domains.verify(globex, "media.example")
        assert at(database, None, "media.example") == "acme"
        assert [one.contested_at for one in domains.all(acme)] == [begun]
    assert told(database, acme, "tenant.custom_domain_con") == ["tenant.custom_domain_contested"], "once"
    now[0] = begun + GRACE
    assert domains.verify(globex, "media.example").verified_at == now[0]
    assert at(database, None, "media.example") == "globex"
    assert told(database, acme, "tenant.custom_domain_lost") == ["tenant.custom_domain_lost"]
    assert told(database, globex, "tenant.custom_domain") == [
        f"tenant.custom_domain_{what}" for what in ("added", "verified")
    ]
    assert [(one.verified_at, one.contested_at) for one in domains.all(acme)] == [(None, None)]


def test_who_holds_a_domain_keeps_it_by_putting_the_challenge_back(
    two_tenants: Tenants, handed_over: tuple[Database, CustomDomains], dns: Dns, now: list[datetime]
) -> None:
    acme, globex = two_tenants
    database, domains = handed_over
    with pytest.raises(DomainContested):
        domains.verify(globex, "media.example")
    with pytest.raises(ChallengeMissing):
        domains.verify(acme, "media.example")
    (mine,) = domains.all(acme)
    dns.hold(mine)
    now[0] += GRACE * 2
    with pytest.raises(DomainTaken):
        domains.verify(globex, "media.example")
    kept = domains.verify(acme, "media.example")
    assert (kept.verified_at, kept.contested_at) == (mine.verified_at, None)
    assert [one.contested_at for one in domains.all(acme)] == [None]
    assert at(database, None, "media.example") == "acme"


def test_a_contest_is_over_where_the_holders_challenge_is_seen_and_another_begins_from_nothing(
    two_tenants: Tenants, handed_over: tuple[Database, CustomDomains], dns: Dns, now: list[datetime]
) -> None:
    acme, globex = two_tenants
    database, domains = handed_over
    with pytest.raises(DomainContested):
        domains.verify(globex, "media.example")
    (mine,) = domains.all(acme)
    dns.hold(mine)
    now[0] += GRACE * 2
    with pytest.raises(DomainTaken):
        domains.verify(globex, "media.example")
    assert [one.contested_at for one in domains.all(acme)] == [None]
    dns.texts[f"{RECORD}.media.example"].remove(mine.challenge)
    with pytest.raises(DomainContested, match=rfc3339(now[0] + GRACE)):
        domains.verify(globex, "media.example")
    assert at(database, None, "media.example") == "acme"
    assert told(database, acme, "tenant.custom_domain_con") == ["tenant.custom_domain_contested"] * 2


@pytest.mark.parametrize("state", ["restricted", "closing"])
def test_a_holder_that_is_read_only_answers_a_contest_and_verifies_nothing_new(
    two_tenants: Tenants, handed_over: tuple[Database, CustomDomains], dns: Dns, state: str
) -> None:
    acme, globex = two_tenants
    database, domains = handed_over
    dns.hold(claim(database, domains, acme, "shop.example"))
    with pytest.raises(DomainContested):
        domains.verify(globex, "media.example")
    _, mine = sorted(domains.all(acme), key=lambda one: one.domain == "media.example")
    dns.hold(mine)
    read_only = replace(acme, state=state)
    assert domains.verify(read_only, "media.example").contested_at is None
    with pytest.raises(Forbidden):
        domains.verify(read_only, "shop.example")
    assert {one.domain: one.contested_at for one in domains.all(acme)} == {"media.example": None, "shop.example": None}


def test_a_contest_that_was_not_followed_up_is_no_head_start(
    two_tenants: Tenants, handed_over: tuple[Database, CustomDomains], now: list[datetime]
) -> None:
    acme, globex = two_tenants
    database, domains = handed_over
    for _ in range(2):
        with pytest.raises(DomainContested, match=rfc3339(now[0] + GRACE)):
            domains.verify(globex, "media.example")
        now[0] += LAPSE
    assert told(database, acme, "tenant.custom_domain_con") == ["tenant.custom_domain_contested"] * 2


def test_who_holds_a_domain_is_told_to_nobody_who_has_not_claimed_it(
    two_tenants: Tenants, handed_over: tuple[Database, CustomDomains]
) -> None:
    acme, globex = two_tenants
    database, domains = handed_over
    holder = CustomDomainRepository(database).holder(globex, "media.example")
    assert (holder.tenant if holder else None) == acme.tenant
    with database.transaction(globex) as tx:
        domains.remove(tx, "media.example")
    assert CustomDomainRepository(database).holder(globex, "media.example") is None
