"""The addresses of stores."""

from functions.sites.routes import metrics, pushes, receipts, sensors, sites
from functions.sites.routes.declared import Stores, routes

__all__ = ["Stores", "metrics", "pushes", "receipts", "routes", "sensors", "sites"]
