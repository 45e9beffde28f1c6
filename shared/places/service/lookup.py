"""The organization at a host, for pages to log in at."""

from shared.identity.service.throttle import Throttle
from shared.names.errors import NotAHost
from shared.names.rules import host
from shared.places.errors import PlaceNotFound
from shared.places.model import Place
from shared.places.repository.branding import BrandingRepository
from shared.places.rules import slug_at

_KIND = "place"


class Lookup:
    """Finds organizations by hosts that are public: subdomains, and domains that were verified."""

    def __init__(self, repository: BrandingRepository, throttle: Throttle, base: str) -> None:
        self._repository = repository
        self._throttle = throttle
        self._base = base

    def find(self, name: str, address: str) -> Place:
        """The organization at a host, for who asks from an address; whoever guesses is kept waiting.

        Errors: PlaceNotFound, TooManyTries.
        """
        self._throttle.wait_out(_KIND, address)
        found = self._at(name)
        if found is None:
            self._throttle.missed(_KIND, address)
            raise PlaceNotFound
        return found

    def _at(self, name: str) -> Place | None:
        try:
            there = host(name.partition(":")[0])
        except NotAHost:
            return None
        slug = slug_at(there, self._base)
        return self._repository.place(slug, None if slug else there)
