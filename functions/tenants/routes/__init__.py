"""The addresses of organizations."""

from functions.tenants.routes import organizations, sign_on
from functions.tenants.routes.declared import Organizations, routes

__all__ = ["Organizations", "organizations", "routes", "sign_on"]
