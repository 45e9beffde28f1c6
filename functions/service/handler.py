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
database = kernel.database()
service = Service(Operations(database, kernel.settings), Pages())
handler = kernel.http(routes, service, operator=kernel.operators(ServiceSettings.load().operator_secret))
