"""The addresses of stores."""

from functions.sites.routes import ingest, metrics, sensors, sites
from functions.sites.routes.declared import Stores, routes

__all__ = ["Stores", "ingest", "metrics", "routes", "sensors", "sites"]
