"""Sessions."""

from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from functions.auth.schemas.signed_in import Organization
from shared.identity.model import Session
from tenant_context.clock import rfc3339
from tenant_context.wire import In, Out


class RefreshIn(In):
    """A refresh token."""

    refresh_token: Annotated[str, StringConstraints(max_length=500)]


class SwitchIn(In):
    """The organization to go to: a slug or an id."""

    organization: Organization


class SessionOut(Out):
    """One log-in."""

    id: UUID
    created_at: str
    source_ip: str
    agent: str
    amr: list[str]
    current: bool


class SessionsOut(Out):
    """The caller's living sessions in this organization."""

    items: list[SessionOut]


def session(value: Session, present: str) -> dict[str, object]:
    """The answer's form of a session."""
    return {
        "id": value.id,
        "created_at": rfc3339(value.created_at),
        "source_ip": value.source_ip,
        "agent": value.agent,
        "amr": list(value.assurance.proofs),
        "current": str(value.id) == present,
    }
