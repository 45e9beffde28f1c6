"""Wires the service function."""

from dataclasses import dataclass

from functions.service.operations import Operations
from functions.service.pages import Pages
from functions.service.routes import Service, routes
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class ServiceSettings(Settings):
    """What this function needs beside the common settings."""

    operator_secret: str


kernel = Kernel("service")
operations = Operations(kernel.database(), kernel.settings)
handler = kernel.http(
    routes,
    Service(operations, Pages()),
    operator=kernel.operators(ServiceSettings.load().operator_secret),
)
