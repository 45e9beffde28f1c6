"""The addresses of identity."""

from functions.auth.routes import accounts, factors, keys, sessions, sign_in
from functions.auth.routes.base import Auth, routes

__all__ = ["Auth", "accounts", "factors", "keys", "routes", "sessions", "sign_in"]
