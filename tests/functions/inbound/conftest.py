"""The inbox's fixtures, and Stripe's."""

from tests.functions.billing.fixtures import closed_connections, errands, outcomes, secret_name, stand_in
from tests.functions.inbound.fixtures import field_key, place

__all__ = ["closed_connections", "errands", "field_key", "outcomes", "place", "secret_name", "stand_in"]
