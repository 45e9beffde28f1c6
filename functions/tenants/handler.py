"""Wires the tenants function."""

from dataclasses import dataclass

from functions.tenants.routes import Organizations, routes
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
from shared.identity.service.invitations import Invitations
from shared.identity.service.members import Members
from shared.identity.service.providers import Providers
from shared.identity.service.roles import Roles
from shared.identity.service.throttle import Limits, Throttle
from shared.life.service import Life
from shared.plans.repository import PlanRepository
from shared.plans.service import Grants, Plans
from shared.tenants.repository import TenantRepository
from shared.tenants.service import Tenants
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.flags import Shelf
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings
from tenant_context.state_news import Herald


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


kernel = Kernel("tenants")
settings = TenantSettings.load()
database = kernel.database(bus=settings.bus)
revocations = Table(settings.table_revocations)
sessions = SessionRepository(Table(settings.table_sessions), revocations, kernel.clock)
plans = PlanRepository(database)
members, roles = MemberRepository(), RoleRepository(database)
invitations = Invitations(
    InvitationRepository(database),
    members,
    roles,
    TicketRepository(Table(settings.table_tickets)),
    MailQueue(Queue(settings.queue_mails)),
    throttle=Throttle(ThrottleRepository(Table(settings.table_tickets)), kernel.clock, Limits()),
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
        egress=Egress(settings.function_identity_egress, seconds=11.0),
    ),
    url=settings.api_url,
    plans=Plans(plans),
    life=Life(Herald(revocations, kernel.clock)),
    grants=Grants(plans, uuid7),
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
