"""Billing as functions wire it, for tests."""

from shared.billing.service.following import Billing
from shared.identity.repository.keys import ApiKeyRepository
from shared.life.service import Life
from tenant_context.clock import utc_now
from tenant_context.dynamo import Table
from tenant_context.state_news import Herald


def life_on(table: Table) -> Life:
    """Moves tenants, and tells it to a table."""
    return Life(Herald(table, utc_now))


def billing_on(table: Table) -> Billing:
    """Follows Stripe; one table holds the keys and what the doors are told."""
    return Billing(life_on(table), ApiKeyRepository(table))
