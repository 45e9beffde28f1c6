"""Who asks, and what is told of what they did."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from shared.identity.gateway.mail import NOBODY
from shared.identity.model import Membership
from tenant_context.context import Source, TenantContext, from_credentials
from tenant_context.errors import Forbidden
from tenant_context.events import Event


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a log-in comes from."""

    source_ip: str
    agent: str
    request_id: str


def security(what: str, user: UUID, caller: Caller, details: dict[str, object]) -> Event:
    """An event of something security-relevant: who, what, from where."""
    data = {"user": str(user), "source_ip": caller.source_ip, "agent": caller.agent[:200], **details}
    return Event(f"security.{what}", f"user/{user}", data)


def user_of(tenant: TenantContext) -> UUID:
    """The user who asks. Errors: Forbidden for a key."""
    if tenant.user is None:
        raise Forbidden("This is for users, not for keys.")
    return tenant.user


def in_place(tenant: UUID, user: UUID, caller: Caller) -> TenantContext:
    """The context of a user in a tenant, where identity has just verified who they are; it carries no permission."""
    return from_credentials(tenant, user, Source.CREDENTIALS, caller.request_id, source_ip=caller.source_ip)


def everywhere(places: Iterable[Membership], user: UUID, caller: Caller) -> list[TenantContext]:
    """A context in each of a user's places, where their admins shall read of it; in none, one in nobody's."""
    return [in_place(tenant, user, caller) for tenant in [place.tenant for place in places] or [NOBODY]]
