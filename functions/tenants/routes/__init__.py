"""The addresses of organizations."""

from functions.tenants.routes import organizations, places, plans, sign_on
from functions.tenants.routes.declared import Organizations, routes

__all__ = ["Organizations", "organizations", "places", "plans", "routes", "sign_on"]
