"""Wires the inbound_egress function."""

from dataclasses import dataclass
from typing import Any

from shared.inbox.gateway.elsewhere import CONFIRM, READ
from shared.inbox.gateway.strangers import Places
from shared.outbound.gateway.client import Strangers
from shared.outbound.rules.addresses import allow_list
from tenant_context.context import TenantContext
from tenant_context.entry.invoke import InvokeEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class EgressSettings(Settings):
    """What this function needs beside the common settings."""

    outbound_allow: tuple[str, ...] = ()
    places_url: str = ""
    """A stand-in for all the places that are asked."""


kernel = Kernel("inbound_egress")
settings = EgressSettings.load()
places = Places(Strangers(allow_list(settings.outbound_allow), seconds=4.0), settings.places_url)


def read(_tenant: TenantContext, data: dict[str, Any]) -> str:
    """A certificate or a key set."""
    return places.read(data["url"])


def confirm(_tenant: TenantContext, data: dict[str, Any]) -> str:
    """A subscription."""
    return places.confirm(data["url"])


handler = InvokeEntry({READ: read, CONFIRM: confirm}, observability=kernel.observability)
