"""Wires the billing function."""

from dataclasses import dataclass

from functions.billing.routes import Desk, routes
from shared.billing.repository import BillingRepository
from shared.billing.service.account import REFUSALS, BillingAccount
from shared.billing.service.following import Billing
from shared.identity.gateway.egress import Egress
from shared.life.service import Life
from shared.plans.service import Doors
from shared.usage.repository import UsageRepository
from shared.usage.service.reading import UsageReader
from tenant_context.dynamo import Table
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings
from tenant_context.state_news import Allowances, Herald


@dataclass(frozen=True)
class BillingSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    function_billing_egress: str
    table_revocations: str


kernel = Kernel("billing")
settings = BillingSettings.load()
database = kernel.database(bus=settings.bus)
repository = BillingRepository()
stripe = Egress(settings.function_billing_egress, seconds=26.0, refusals=REFUSALS)
life = Life(Herald(Table(settings.table_revocations), kernel.clock))
billing = Billing(life, Doors(Allowances(Table(settings.table_revocations), kernel.clock)), repository)
desk = Desk(
    BillingAccount(database, repository, billing, stripe),
    UsageReader(database, UsageRepository(), kernel.clock),
)
handler = kernel.http(routes, desk, database=database, token=kernel.tokens())
