"""Which URLs an endpoint may have.

Strict on purpose: where two readers of a URL could differ about its host, it is refused. What a name resolves to is
checked at every attempt, by `addresses`.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from shared.outbound.errors import UrlRefused
from shared.outbound.rules.addresses import AllowList, is_allowed, is_public

MAX_LENGTH = 2048
_THIS_MACHINE = IPv4Address("127.0.0.1")
_PORTS = {"https": 443, "http": 80}
_MAX_PORT = 65_535
_MAX_HOST = 253
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<target>[/?]?[^#]*)(?P<fragment>#.*)?"
)
_AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9.-]+))(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Url:
    """A checked URL; `target` is what stands in the request line."""

    tls: bool
    host: str
    port: int
    target: str
    exempt_only: bool
    """Whether only addresses of the allow-list may be called: plain HTTP, or another port than 443."""

    @property
    def origin(self) -> tuple[bool, str, int]:
        """Whom a call of it talks to, whatever the path: scheme, host and port, as RFC 6454 has it."""
        return self.tls, self.host, self.port

    @property
    def host_header(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"


def parse(text: str, allowed: AllowList) -> Url:
    """The URL, or `UrlRefused` with the reason."""
    if not 1 <= len(text) <= MAX_LENGTH:
        raise UrlRefused(f"must have 1 to {MAX_LENGTH} characters")
    if not text.isascii() or any(character <= " " or character in '\\"<>^`{|}\x7f' for character in text):
        raise UrlRefused("must be plain ASCII without spaces; write names in their xn-- form, the rest percent-encoded")
    match = _URL.fullmatch(text)
    if match is None or match["scheme"].lower() not in _PORTS:
        raise UrlRefused("must begin with https://")
    if match["fragment"] is not None:
        raise UrlRefused("must not have a fragment")
    if "@" in match["authority"]:
        raise UrlRefused("must not hold a user name or password")
    if _BROKEN_ESCAPE.search(text):
        raise UrlRefused("has a broken percent-encoding")
    return _checked(match["scheme"].lower(), match["authority"].lower(), match["target"], allowed)


def _checked(scheme: str, authority: str, target: str, allowed: AllowList) -> Url:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise UrlRefused("must name its host plainly: letters, digits, dots and hyphens")
    port = int(match["port"]) if match["port"] else _PORTS[scheme]
    if not 1 <= port <= _MAX_PORT:
        raise UrlRefused("has a port that does not exist")
    exempt_only = scheme != "https" or port != _PORTS["https"]
    host, exempt = _ip6(match["v6"], allowed) if match["v6"] else _ip4_or_name(match["name"], allowed)
    if exempt_only and not exempt:
        raise UrlRefused("must be https on port 443")
    if not target.startswith("/"):
        target = f"/{target}"
    return Url(tls=scheme == "https", host=host, port=port, target=target, exempt_only=exempt_only)


def _ip6(text: str, allowed: AllowList) -> tuple[str, bool]:
    try:
        address = IPv6Address(text)
    except AddressValueError as error:
        raise UrlRefused("has an IPv6 address that is none") from error
    return str(address), _exempt(address, allowed)


def _ip4_or_name(host: str, allowed: AllowList) -> tuple[str, bool]:
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # Decimal, hexadecimal, octal and short forms name addresses too, each reader its own: only a.b.c.d stands.
        try:
            return host, _exempt(IPv4Address(host), allowed)
        except AddressValueError as error:
            raise UrlRefused("must write an IPv4 address as four decimal numbers") from error
    if len(host) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefused("has a host name that is none")
    # RFC 6761: names under localhost mean this machine. What they resolve to is checked all the same.
    exempt = labels[-1] == "localhost" and is_allowed(_THIS_MACHINE, allowed)
    if (len(labels) == 1 or labels[-1] == "localhost") and not exempt:
        raise UrlRefused("must name a host of the public internet")
    return host, exempt


def _exempt(address: IPv4Address | IPv6Address, allowed: AllowList) -> bool:
    if is_allowed(address, allowed):
        return True
    if not is_public(address):
        raise UrlRefused("must name a host of the public internet")
    return False
