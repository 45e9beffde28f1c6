"""Mails to the owners of an endpoint that fails, before and when it is disabled: its own events may not arrive."""

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from shared.events.rules.catalogue import ENDPOINT_DISABLED, ENDPOINT_FAILING
from shared.webhooks.repository.owners import owners
from shared.webhooks.repository.told import ToldRepository
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.postgres import Database


class Mails(Protocol):
    """Who sends mails."""

    def send(self, kind: str, to: str, values: dict[str, str], *, request_id: str, tenant: UUID) -> None:
        """Queue one mail."""


class Alerts:
    """Listens to what the dispatcher says of endpoints.

    An event that comes again is mailed once; twice only where a run died between its mails and their note.
    """

    def __init__(self, database: Database, told: ToldRepository, mails: Mails, *, clock: Clock) -> None:
        self._database = database
        self._told = told
        self._mails = mails
        self._clock = clock

    def hear(self, tenant: TenantContext, envelope: Mapping[str, Any]) -> None:
        """Tell every owner, if it is that."""
        kind, data = str(envelope["type"]), envelope["data"]
        if kind not in {ENDPOINT_FAILING, ENDPOINT_DISABLED} or self._told.has(tenant, event := UUID(envelope["id"])):
            return
        values = {
            "endpoint": str(data["id"]),
            "host": urlsplit(str(data["url"])).hostname or "",
            "since": _day(data["failing_since"]),
            "reason": str(data["reason"]),
            "until": _day(data.get("disabled_from")),
        }
        for name, email, organization in owners(self._database, tenant):
            about = {"name": name, "organization": organization, **values}
            mail = _mail(kind, str(data["reason"]))
            self._mails.send(mail, email, about, request_id=tenant.request_id, tenant=tenant.tenant)
        self._told.note(tenant, event, self._clock())


def _mail(kind: str, reason: str) -> str:
    if kind == ENDPOINT_FAILING:
        return "webhook-failing"
    return "webhook-gone" if reason == "gone" else "webhook-disabled"


def _day(moment: str | None) -> str:
    """A moment as people read it."""
    return moment[:16].replace("T", " ") if moment else ""
