"""The addresses of identity."""

from functions.auth.routes import accounts, factors, keys, sessions, sign_in, sign_on
from functions.auth.routes.declared import Auth, routes

__all__ = ["Auth", "accounts", "factors", "keys", "routes", "sessions", "sign_in", "sign_on"]
