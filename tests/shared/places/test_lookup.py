"""Pages find organizations by their hosts; who guesses hosts waits, and nobody else does."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from shared.identity.errors import TooManyTries
from shared.identity.repository.throttles import ThrottleRepository
from shared.identity.service.throttle import Limits, Throttle
from shared.places.errors import PlaceNotFound
from shared.places.repository.branding import BrandingRepository
from shared.places.service.lookup import Lookup
from tenant_context.aws import AwsClient
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tenant_context.postgres import Database

OFFICE, GUESSER = "198.51.100.7", "203.0.113.66"


@pytest.fixture
def lookup(database: Database, table_name: str) -> Iterator[Lookup]:
    with closing(AwsClient("dynamodb")) as client:
        throttle = Throttle(ThrottleRepository(Table(table_name, client)), database.clock, Limits())
        yield Lookup(BrandingRepository(database), throttle, "rmap.example")


def misses(lookup: Lookup, host: str) -> None:
    with pytest.raises(PlaceNotFound):
        lookup.find(host, GUESSER)


def test_who_guesses_hosts_is_kept_waiting_and_an_office_is_not(
    lookup: Lookup, two_tenants: tuple[TenantContext, TenantContext]
) -> None:
    assert two_tenants
    for number in range(Limits().address.free):
        misses(lookup, f"guess-{number}.rmap.example" if number % 2 else "no host at all")
    for host in ("guess.rmap.example", "acme.rmap.example"):
        with pytest.raises(TooManyTries):
            lookup.find(host, GUESSER)
    for _ in range(Limits().address.free + 5):
        assert lookup.find("acme.rmap.example:443", OFFICE).slug == "acme"
