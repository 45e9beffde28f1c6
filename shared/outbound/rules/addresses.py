"""Which addresses we may reach: globally routable unicast, and what an allow-list adds to it.

The networks are written out and not left to `is_global`, whose meaning changed between Python's releases; it is
asked as well. Source: IANA's IPv4 and IPv6 special-purpose address registries.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from shared.outbound.errors import AddressRefused

IPAddress = IPv4Address | IPv6Address
AllowList = tuple[IPv4Network | IPv6Network, ...]

_CLOSED_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's host, DNS and metadata, by a public number
        "169.254.0.0/16",  # link-local; clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
_CLOSED_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments; Teredo embeds IPv4 addresses
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 embeds IPv4 addresses
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = 0x0000_5EFE
"""0:5efe or 200:5efe stands before an IPv4 address in the last 32 bits."""


def allow_list(networks: Iterable[str]) -> AllowList:
    """The networks of a setting; raises ValueError for what is none."""
    return tuple(ip_network(network) for network in networks)


def is_public(address: IPAddress) -> bool:
    """Whether an address is globally routable unicast, and any IPv4 address inside it too."""
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _CLOSED_4)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address not in _GLOBAL_6 or any(address in network for network in _CLOSED_6):
        return False
    if int(address) >> 32 & 0xFDFF_FFFF == _ISATAP:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address.is_global


def is_allowed(address: IPAddress, allowed: AllowList) -> bool:
    """Whether the allow-list names an address."""
    return any(address in network for network in allowed)


def check(addresses: Iterable[str], allowed: AllowList, *, exempt_only: bool) -> list[IPAddress]:
    """Every address of a host, checked; one bad address condemns them all, as does having none.

    With `exempt_only` (plain HTTP, or another port than 443) only the allow-list counts. Raises `AddressRefused`.
    """
    # Each once, whatever the name says: one that has thousands of addresses must not cost their square.
    checked = dict.fromkeys(map(ip_address, addresses))
    for address in checked:
        if not (is_allowed(address, allowed) or (is_public(address) and not exempt_only)):
            raise AddressRefused
    if not checked:
        raise AddressRefused
    return list(checked)
