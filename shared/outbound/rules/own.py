"""Our own addresses, which nobody may have us call: an event that calls us makes the next event."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.outbound.errors import UrlRefused
from shared.outbound.rules.urls import Url

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Own:
    """Hosts with their ports, and domains with all that is below them."""

    places: frozenset[tuple[str, int]] = frozenset()
    domains: tuple[str, ...] = ()

    def has(self, url: Url) -> bool:
        """Whether a URL names us."""
        below = any(url.host == domain or url.host.endswith(f".{domain}") for domain in self.domains)
        return below or (url.host, url.port) in self.places

    def check(self, url: Url) -> Url:
        """The URL; raises `UrlRefused` where it names us."""
        if self.has(url):
            raise UrlRefused("must not be an address of this platform, which would call itself")
        return url


NOBODY = Own()


def own(addresses: Iterable[str]) -> Own:
    """Of a setting: URLs (`https://api.example.com`) name a host and its port, anything else is a domain."""
    places, domains = set(), []
    for text in addresses:
        scheme, separator, _ = text.partition("://")
        if separator:
            parts = urlsplit(text)
            places.add((parts.hostname or "", parts.port or _PORTS[scheme]))
        else:
            domains.append(text.lower().strip("."))
    return Own(frozenset(places), tuple(domains))
