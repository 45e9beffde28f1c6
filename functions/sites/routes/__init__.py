"""The addresses of stores."""

from functions.sites.routes import alerts, metrics, occupancy, pushes, quality, receipts, sensors, sites, targets
from functions.sites.routes.declared import Stores, routes

__all__ = [
    "Stores",
    "alerts",
    "metrics",
    "occupancy",
    "pushes",
    "quality",
    "receipts",
    "routes",
    "sensors",
    "sites",
    "targets",
]
