"""Billing as functions wire it, for tests."""

from shared.billing.service.following import Billing
from shared.life.service import Life
from shared.plans.service import Doors
from tenant_context.clock import utc_now
from tenant_context.dynamo import Table
from tenant_context.state_news import Allowances, Herald


def life_on(table: Table) -> Life:
    """Moves tenants, and tells it to a table."""
    return Life(Herald(table, utc_now))


def billing_on(table: Table) -> Billing:
    """Follows Stripe; the table holds what doors are told."""
    return Billing(life_on(table), Doors(Allowances(table, utc_now)))
