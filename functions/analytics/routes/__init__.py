"""The addresses of what was measured in stores."""

from functions.analytics.routes import alerts, metrics, occupancy, quality, receipts, targets
from functions.analytics.routes.declared import Analytics, routes

__all__ = ["Analytics", "alerts", "metrics", "occupancy", "quality", "receipts", "routes", "targets"]
