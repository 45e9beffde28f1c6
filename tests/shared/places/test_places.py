"""Settings, branding and custom domains on PostgreSQL: two tenants, and many hands at once."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import cast

import pytest

from shared.identity.errors import ChallengeMissing, DomainTaken
from shared.identity.gateway.egress import Egress
from shared.identity.service.challenges import Challenges
from shared.places.errors import CustomDomainNotFound, DomainRefused
from shared.places.model import Branding, OwnSettings
from shared.places.repository.branding import BrandingRepository
from shared.places.repository.domains import CustomDomainRepository
from shared.places.repository.settings import SettingsRepository
from shared.places.service.branding import Brandings
from shared.places.service.domains import CustomDomains
from shared.places.service.settings import PlaceSettings
from tenant_context.errors import LimitReached, PreconditionFailed
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.shared.places.conftest import BASE, HANDS, Dns, Tenants, at, claim, on_plan, told


def test_settings_are_changed_one_by_one_at_the_version_that_was_read(database: Database, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    settings = PlaceSettings(SettingsRepository(database))
    assert settings.show(acme) == OwnSettings()
    with database.transaction(acme) as tx:
        settings.change(tx, {"time_zone": "Europe/Berlin", "contact_email": "ops@acme.example"}, 0)
    with database.transaction(acme) as tx:
        changed = settings.change(tx, {"locale": "de-de", "contact_email": None}, 1)
    assert changed == OwnSettings(time_zone="Europe/Berlin", locale="de-DE", version=2)
    assert settings.show(acme) == changed
    with pytest.raises(PreconditionFailed), database.transaction(acme) as tx:
        settings.change(tx, {"currency": "USD"}, 1)
    assert settings.show(acme) == changed
    assert settings.show(globex) == OwnSettings()


def test_a_change_that_changes_nothing_is_told_nobody(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    settings = PlaceSettings(SettingsRepository(database))
    with database.transaction(acme) as tx:
        assert settings.change(tx, {"currency": "EUR"}, 0).version == 0
    assert told(database, acme, "tenant.settings") == []
    with database.transaction(acme) as tx:
        settings.change(tx, {"currency": "USD"}, 0)
    assert told(database, acme, "tenant.settings") == ["tenant.settings_changed"]


def together(clone: Clone, database: Database, work: Callable[[Database, int], str]) -> Counter[str]:
    """The same work of many hands at once, each on a connection of its own."""
    barrier = Barrier(HANDS)

    def one(hand: int) -> str:
        with closing(Database(clone.settings(), clock=database.clock)) as own:
            own.door("SELECT 1")
            barrier.wait()
            return work(own, hand)

    with ThreadPoolExecutor(HANDS) as pool:
        return Counter(pool.map(one, range(HANDS)))


def test_of_many_who_change_the_same_version_one_does(clone: Clone, database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants

    def change(own: Database, hand: int) -> str:
        settings = PlaceSettings(SettingsRepository(own))
        try:
            with own.transaction(acme) as tx:
                settings.change(tx, {"contact_email": f"{hand}@acme.example"}, 0)
        except PreconditionFailed:
            return "refused"
        return "changed"

    assert together(clone, database, change) == {"changed": 1, "refused": HANDS - 1}


def test_a_branding_goes_back_to_the_platforms_and_its_versions_only_grow(
    database: Database, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    brandings = Brandings(BrandingRepository(database))
    assert brandings.show(acme).branding == Branding()
    look = Branding(display_name="Acme Media", primary_color="#123456", logo_url="https://a.example/l", logo_alt="Acme")
    with database.transaction(acme) as tx:
        assert brandings.put(tx, look, 0).branding.version == 1
    with pytest.raises(PreconditionFailed), database.transaction(acme) as tx:
        brandings.put(tx, Branding(), 0)
    assert brandings.show(acme).branding.display_name == "Acme Media"
    assert brandings.show(globex).branding == Branding()
    for _ in range(2):  # the second time, there is nothing to take back
        with database.transaction(acme) as tx:
            brandings.reset(tx)
    assert brandings.show(acme).branding == Branding(version=2)
    assert brandings.show(acme).name == "Acme"
    assert told(database, acme, "tenant.branding") == ["tenant.branding_changed"] * 2


def test_a_plan_says_how_many_domains_there_may_be_however_many_come_at_once(
    clone: Clone, database: Database, two_tenants: Tenants, dns: Dns
) -> None:
    acme, _ = two_tenants
    on_plan(database, acme, "enterprise")

    def add(own: Database, hand: int) -> str:
        domains = CustomDomains(own, CustomDomainRepository(own), Challenges(cast("Egress", dns)), base="", own=())
        try:
            claim(own, domains, acme, f"m{hand}.example")
        except LimitReached as error:
            return f"refused at {error.members['usage']} of {error.members['value']} {error.members['limit']}"
        return "claimed"

    assert together(clone, database, add) == {"claimed": 10, "refused at 10 of 10 custom_domains": HANDS - 10}


@pytest.mark.parametrize("plan", ["free", "starter"])
def test_plans_without_custom_domains_have_none(
    database: Database, domains: CustomDomains, two_tenants: Tenants, plan: str
) -> None:
    on_plan(database, two_tenants[0], plan)
    with pytest.raises(LimitReached):
        claim(database, domains, two_tenants[0], "media.example")
    assert told(database, two_tenants[0], "tenant.custom_domain") == []


def test_a_claim_neither_hinders_nor_tells_others_and_whoever_holds_the_dns_has_the_domain(
    database: Database, domains: CustomDomains, two_tenants: Tenants, dns: Dns
) -> None:
    acme, globex = two_tenants
    for tenant in two_tenants:
        on_plan(database, tenant, "professional")
    squatted = claim(database, domains, globex, "media.example")
    mine = claim(database, domains, acme, "Media.Example.")
    assert (mine.domain, mine.verified_at) == ("media.example", None)
    assert squatted.challenge != mine.challenge
    dns.hold(mine)
    with pytest.raises(ChallengeMissing):
        domains.verify(globex, "media.example")
    assert at(database, None, "media.example") is None, "a claim is no proof"
    assert domains.verify(acme, "media.example").verified_at
    assert at(database, None, "media.example") == "acme"
    with pytest.raises(ChallengeMissing):
        domains.verify(globex, "media.example")  # and is not told that it is taken
    dns.hold(squatted)
    with pytest.raises(DomainTaken):
        domains.verify(globex, "media.example")
    assert at(database, None, "media.example") == "acme"
    with database.transaction(acme) as tx:
        domains.remove(tx, "MEDIA.example")
    assert at(database, None, "media.example") is None
    assert domains.verify(globex, "media.example").verified_at, "it is free again"
    assert at(database, None, "media.example") == "globex"
    assert told(database, acme, "tenant.custom_domain") == [
        f"tenant.custom_domain_{what}" for what in ("added", "verified", "removed")
    ]


def test_what_was_verified_is_not_asked_for_again(
    database: Database, domains: CustomDomains, two_tenants: Tenants, dns: Dns
) -> None:
    acme, _ = two_tenants
    on_plan(database, acme, "professional")
    dns.hold(claim(database, domains, acme, "media.example"))
    since = domains.verify(acme, "media.example").verified_at
    dns.texts.clear()
    assert domains.verify(acme, "media.example").verified_at == since


def test_a_domain_is_claimed_once_and_removed_once(
    database: Database, domains: CustomDomains, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    on_plan(database, acme, "enterprise")
    claim(database, domains, acme, "bücher.example")
    with pytest.raises(DomainTaken):
        claim(database, domains, acme, "xn--bcher-kva.example")
    for stranger in (globex, acme):
        with pytest.raises(CustomDomainNotFound), database.transaction(stranger) as tx:
            domains.remove(tx, "other.example" if stranger is acme else "bücher.example")
    with database.transaction(acme) as tx:
        domains.remove(tx, "Bücher.example")
    assert domains.all(acme) == []


@pytest.mark.parametrize(
    "name", [BASE, f"globex.{BASE}", "localhost", "not a host", "x.internal", "a" * 61 + ".example" * 25]
)
def test_some_names_are_nobodys(database: Database, domains: CustomDomains, two_tenants: Tenants, name: str) -> None:
    on_plan(database, two_tenants[0], "enterprise")
    with pytest.raises(DomainRefused):
        claim(database, domains, two_tenants[0], name)


def test_an_organization_is_found_by_its_slug_until_it_is_closed(
    database: Database, domains: CustomDomains, two_tenants: Tenants, dns: Dns
) -> None:
    acme, globex = two_tenants
    on_plan(database, acme, "professional")
    dns.hold(claim(database, domains, acme, "media.example"))
    domains.verify(acme, "media.example")
    assert domains.subdomain(acme) == f"acme.{BASE}"
    assert (at(database, "acme", None), at(database, None, "media.example")) == ("acme", "acme")
    assert at(database, None, None) is None
    with database.transaction(acme) as tx:
        tx.run("UPDATE tenants SET status = 'closed' WHERE tenant_id = %s", (acme.tenant,))
    assert (at(database, "acme", None), at(database, None, "media.example")) == (None, None)
    assert at(database, "globex", None) == "globex", globex


@pytest.mark.parametrize("state", ["suspended", "closed"])
def test_pages_find_no_organization_that_nobody_is_to_log_in_to(
    database: Database, domains: CustomDomains, two_tenants: Tenants, dns: Dns, state: str
) -> None:
    acme, _ = two_tenants
    on_plan(database, acme, "professional")
    dns.hold(claim(database, domains, acme, "media.example"))
    domains.verify(acme, "media.example")
    log_ins = (("restricted", "", "acme"), ("closing", "", "acme"), ("suspended", "suspended", "acme"))
    for status, dunning, found in (*log_ins, (state, "", None)):
        with database.transaction(acme) as tx:
            change = "UPDATE tenants SET status = %s, dunning_stage = %s WHERE tenant_id = %s"
            tx.run(change, (status, dunning, acme.tenant))
        assert (at(database, "acme", None), at(database, None, "media.example")) == (found, found)
