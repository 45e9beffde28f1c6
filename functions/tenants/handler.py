"""Wires the tenants function."""

from dataclasses import dataclass

from functions.tenants.routes import routes
from shared.tenants.repository import TenantRepository
from shared.tenants.service import Tenants
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class TenantSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str


kernel = Kernel("tenants")
database = kernel.database(bus=TenantSettings.load().bus)
handler = kernel.http(routes, Tenants(TenantRepository(database)), database=database, token=kernel.tokens())
