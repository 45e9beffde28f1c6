"""Wires the campaigns function."""

from dataclasses import dataclass

from functions.campaigns.routes import routes
from shared.campaigns.service import Campaigns
from tenant_context.clock import uuid7
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class CampaignSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str


kernel = Kernel("campaigns")
database = kernel.database(bus=CampaignSettings.load().bus)
handler = kernel.http(routes, Campaigns(database, uuid7), database=database, token=kernel.tokens())
