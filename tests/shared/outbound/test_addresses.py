"""Webhooks reach the public internet and nothing else."""

from ipaddress import ip_address

import pytest

from shared.outbound.errors import AddressRefused
from shared.outbound.rules.addresses import allow_list, check, is_public

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "64:ff9b::8.8.8.8"]
CLOSED = {
    "this network": "0.0.0.0",  # noqa: S104  an example, not a place to listen
    "private 10": "10.1.2.3",
    "carrier-grade NAT": "100.64.0.1",
    "metadata behind carrier-grade NAT": "100.100.100.200",
    "loopback": "127.0.0.1",
    "loopback, elsewhere": "127.99.0.1",
    "metadata": "169.254.169.254",
    "metadata by a public number": "168.63.129.16",
    "container metadata": "169.254.170.2",
    "private 172": "172.31.255.255",
    "protocol assignments": "192.0.0.170",
    "documentation 1": "192.0.2.1",
    "6to4 relay": "192.88.99.1",
    "private 192": "192.168.0.1",
    "benchmarks": "198.19.0.1",
    "documentation 2": "198.51.100.1",
    "documentation 3": "203.0.113.1",
    "multicast": "224.0.0.1",
    "multicast, high": "239.255.255.250",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "v6 unspecified": "::",
    "v6 loopback": "::1",
    "v6 link-local": "fe80::1",
    "v6 link-local with a zone": "fe80::1%eth0",
    "v6 site-local": "fec0::1",
    "v6 unique local": "fd00::1",
    "v6 metadata": "fd00:ec2::254",
    "v6 multicast": "ff02::1",
    "v6 documentation": "2001:db8::1",
    "v6 documentation, new": "3fff::1",
    "v6 discard": "100::1",
    "v6 segment routing": "5f00::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "ORCHID": "2001:20::1",
    "6to4 of loopback": "2002:7f00:1::1",
    "6to4 of a public address": "2002:808:808::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped public": "::ffff:8.8.8.8",
    "compatible loopback": "::127.0.0.1",
    "NAT64 of loopback": "64:ff9b::127.0.0.1",
    "NAT64 of metadata": "64:ff9b::169.254.169.254",
    "local NAT64": "64:ff9b:1::8.8.8.8",
    "ISATAP of private": "2606:4700::5efe:10.0.0.1",
    "ISATAP of private, global bit": "2606:4700::200:5efe:10.0.0.1",
}
LOOPBACK = allow_list(["127.0.0.0/8"])


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address: str) -> None:
    assert is_public(ip_address(address))
    assert check([address], (), exempt_only=False) == [ip_address(address)]


@pytest.mark.parametrize("address", CLOSED.values(), ids=CLOSED.keys())
def test_closed_addresses_are_not(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(AddressRefused):
        check([address], (), exempt_only=False)


@pytest.mark.parametrize("bad", ["127.0.0.1", "::1", "169.254.169.254"])
def test_one_bad_address_among_good_ones_condemns_the_name(bad: str) -> None:
    with pytest.raises(AddressRefused):
        check(["8.8.8.8", bad], (), exempt_only=False)


def test_a_name_without_addresses_is_refused() -> None:
    with pytest.raises(AddressRefused):
        check([], LOOPBACK, exempt_only=False)


def test_the_allow_list_opens_its_networks_only() -> None:
    assert check(["127.0.0.1"], LOOPBACK, exempt_only=True)
    for address in ("10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"):
        with pytest.raises(AddressRefused):
            check([address], LOOPBACK, exempt_only=False)


def test_plain_http_reaches_the_allow_list_only() -> None:
    with pytest.raises(AddressRefused):
        check(["8.8.8.8"], LOOPBACK, exempt_only=True)
