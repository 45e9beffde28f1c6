"""Wires the tenants function."""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from functions.tenants.routes import Organizations, routes
from shared.billing.repository import BillingRepository
from shared.billing.service.standing import Standing
from shared.federation.gateway.secrets import ClientSecrets
from shared.identity.gateway.egress import Egress
from shared.identity.gateway.mail import MailQueue
from shared.identity.repository.invitations import InvitationRepository
from shared.identity.repository.members import MemberRepository
from shared.identity.repository.providers import ProviderRepository
from shared.identity.repository.roles import RoleRepository
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.throttles import ThrottleRepository
from shared.identity.repository.tickets import TicketRepository
from shared.identity.service.challenges import Challenges
from shared.identity.service.invitations import Invitations
from shared.identity.service.members import Members
from shared.identity.service.providers import Providers
from shared.identity.service.roles import Roles
from shared.identity.service.throttle import Limits, Throttle
from shared.life.service import Life
from shared.places.repository.branding import BrandingRepository
from shared.places.repository.domains import CustomDomainRepository
from shared.places.repository.settings import SettingsRepository
from shared.places.service.branding import Brandings
from shared.places.service.domains import CustomDomains
from shared.places.service.lookup import Lookup
from shared.places.service.settings import PlaceSettings
from shared.plans.repository import PlanRepository
from shared.plans.service import Doors, Grants, Plans
from shared.tenants.repository import TenantRepository
from shared.tenants.service import Tenants
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.flags import Shelf
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.rows import SharedRows
from tenant_context.settings import Settings
from tenant_context.state_news import Allowances, Herald


@dataclass(frozen=True)
class TenantSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    table_sessions: str
    table_revocations: str
    table_tickets: str
    queue_mails: str
    field_key: str
    table_data_keys: str
    function_identity_egress: str
    api_url: str
    operator_secret: str
    tries_per_address: int
    base_domain: str = ""
    """What organizations' subdomains are below; without it there are none."""


kernel = Kernel("tenants")
settings = TenantSettings.load()
database = kernel.database(bus=settings.bus)
revocations = Table(settings.table_revocations)
sessions = SessionRepository(Table(settings.table_sessions), revocations, kernel.clock)
plans = PlanRepository(database)
egress = Egress(settings.function_identity_egress, seconds=11.0)
tries = ThrottleRepository(Table(settings.table_tickets))
strangers = Limits(address=replace(Limits().address, free=settings.tries_per_address))
looks = BrandingRepository(database)
own_domains = tuple(name for name in (settings.base_domain, urlsplit(settings.api_url).hostname) if name)
doors = Doors(Allowances(revocations, kernel.clock))
members, roles = MemberRepository(), RoleRepository(database)
invitations = Invitations(
    InvitationRepository(database),
    members,
    roles,
    TicketRepository(Table(settings.table_tickets)),
    MailQueue(Queue(settings.queue_mails)),
    throttle=Throttle(tries, kernel.clock, Limits()),
    clock=kernel.clock,
    new_id=uuid7,
)
organizations = Organizations(
    tenants=Tenants(TenantRepository(database)),
    members=Members(members, roles, sessions),
    roles=Roles(roles, members, sessions),
    invitations=invitations,
    providers=Providers(
        database,
        ProviderRepository(database),
        roles,
        members,
        sessions,
        client_secrets=ClientSecrets(settings.field_key, Table(settings.table_data_keys)),
        egress=egress,
    ),
    url=settings.api_url,
    settings=PlaceSettings(SettingsRepository(database)),
    branding=Brandings(looks),
    custom_domains=CustomDomains(
        database, CustomDomainRepository(database), Challenges(egress), base=settings.base_domain, own=own_domains
    ),
    lookup=Lookup(looks, Throttle(tries, kernel.clock, strangers), settings.base_domain),
    plans=Plans(plans, SharedRows(Table(kernel.settings.table_rates)), kernel.clock),
    life=Life(Herald(revocations, kernel.clock), standing=Standing(BillingRepository())),
    grants=Grants(plans, uuid7, doors),
    flags=kernel.flags(settings.table_revocations),
    flag_shelf=Shelf(revocations),
    database=database,
)
handler = kernel.http(
    routes,
    organizations,
    database=database,
    token=kernel.tokens(),
    operator=kernel.operators(settings.operator_secret),
)
