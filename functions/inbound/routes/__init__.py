"""The addresses of the inbox: where others post, and what operators do with what came."""

from functions.inbound.routes import operators, posts
from functions.inbound.routes.declared import Inbound, routes

__all__ = ["Inbound", "operators", "posts", "routes"]
