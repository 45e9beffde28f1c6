"""What tests of places share: a DNS that is told what it holds, and organizations that claim domains."""

from typing import Any, cast

import pytest

from shared.identity.gateway.egress import Egress
from shared.identity.service.challenges import RECORD, Challenges
from shared.places.model import CustomDomain
from shared.places.repository.branding import BrandingRepository
from shared.places.repository.domains import CustomDomainRepository
from shared.places.service.domains import CustomDomains
from tenant_context.context import TenantContext
from tenant_context.postgres import Database

Tenants = tuple[TenantContext, TenantContext]
BASE, HANDS = "rmap.example", 12


class Dns:
    """The names that somebody holds, asked as the function with the internet would."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}

    def call(self, operation: str, data: dict[str, Any], **_: object) -> list[str]:
        assert operation == "texts"
        return self.texts.get(data["name"], [])

    def hold(self, claimed: CustomDomain) -> None:
        """Put a challenge into DNS, beside what is there."""
        self.texts.setdefault(f"{RECORD}.{claimed.domain}", ["v=spf1 -all"]).append(claimed.challenge)


@pytest.fixture
def dns() -> Dns:
    return Dns()


@pytest.fixture
def domains(database: Database, dns: Dns) -> CustomDomains:
    challenges = Challenges(cast("Egress", dns))
    return CustomDomains(database, CustomDomainRepository(database), challenges, base=BASE, own=(BASE,))


def on_plan(database: Database, tenant: TenantContext, plan: str) -> None:
    with database.transaction(tenant) as tx:
        tx.run("UPDATE tenants SET plan = %s WHERE tenant_id = %s", (plan, tenant.tenant))


def claim(database: Database, domains: CustomDomains, tenant: TenantContext, name: str) -> CustomDomain:
    with database.transaction(tenant) as tx:
        return domains.add(tx, name)


def at(database: Database, slug: str | None, domain: str | None) -> str | None:
    found = BrandingRepository(database).place(slug, domain)
    return found.slug if found else None


def told(database: Database, tenant: TenantContext, area: str) -> list[str]:
    query = "SELECT action FROM audit_log WHERE action LIKE %s ORDER BY id"
    return [action for (action,) in database.read(tenant, query, (f"{area}%",))]
