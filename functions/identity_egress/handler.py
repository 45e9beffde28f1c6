"""Wires the identity_egress function: identity providers, DNS, breached passwords."""

import base64
from dataclasses import asdict, dataclass
from typing import Any

from shared.federation.gateway.breaches import Breaches
from shared.federation.gateway.names import Names
from shared.federation.gateway.providers import Providers
from shared.federation.gateway.secrets import ClientSecrets
from shared.federation.model import Exchange
from shared.outbound.gateway.client import Strangers
from shared.outbound.rules.addresses import allow_list
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tenant_context.entry.invoke import InvokeEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class EgressSettings(Settings):
    """What this function needs beside the common settings."""

    field_key: str
    table_data_keys: str
    outbound_allow: tuple[str, ...] = ()
    breaches_url: str = ""
    """Another list of breached passwords than the public one."""
    dns_server: str = ""
    """Another name server than the system's."""


kernel = Kernel("identity_egress")
settings = EgressSettings.load()
allowed = allow_list(settings.outbound_allow)
secrets = ClientSecrets(settings.field_key, Table(settings.table_data_keys))
providers = Providers(Strangers(allowed, seconds=4.0), allowed, kernel.clock)
names = Names(settings.dns_server)
breaches = Breaches(Strangers(allowed, seconds=1.5), settings.breaches_url)


def describe(_tenant: TenantContext, data: dict[str, Any]) -> dict[str, Any]:
    """What the provider at an issuer says of itself."""
    return asdict(providers.describe(data["issuer"]))


def exchange(tenant: TenantContext, data: dict[str, Any]) -> dict[str, Any]:
    """What a provider says of the user behind a code; the client's secret opens for its own tenant only."""
    sealed = base64.b64decode(data.pop("sealed_secret"))
    return providers.exchange(Exchange(**data, client_secret=secrets.open(tenant.tenant, sealed)))


def texts(_tenant: TenantContext, data: dict[str, Any]) -> list[str]:
    """The text records of a name."""
    return names.texts(data["name"])


def breached(_tenant: TenantContext, data: dict[str, Any]) -> dict[str, int]:
    """How often passwords of a range were seen in breaches."""
    return breaches.range(data["prefix"])


operations = {"describe": describe, "exchange": exchange, "texts": texts, "breached": breached}
handler = InvokeEntry(operations, observability=kernel.observability)
