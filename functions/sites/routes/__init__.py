"""The addresses of stores."""

from functions.sites.routes import pushes, sensors, sites
from functions.sites.routes.declared import Stores, routes

__all__ = ["Stores", "pushes", "routes", "sensors", "sites"]
