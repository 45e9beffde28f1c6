"""Nobody has the platform call itself."""

import pytest

from shared.outbound.rules.addresses import allow_list
from shared.outbound.rules.own import own
from shared.outbound.rules.urls import parse

LOOPBACK = allow_list(["127.0.0.0/8"])
OURS = own(["https://api.rmap.example", "http://127.0.0.1:4566", "Shops.Example."])


@pytest.mark.parametrize(
    "url",
    [
        "https://api.rmap.example/api/v1/campaigns",
        "https://API.RMAP.EXAMPLE:443/",
        "http://127.0.0.1:4566/_aws",
        "https://shops.example/",
        "https://acme.shops.example/hook",
        "https://a.b.SHOPS.example/hook",
    ],
)
def test_our_own_addresses_are_known_however_they_are_written(url: str) -> None:
    assert OURS.has(parse(url, LOOPBACK))


@pytest.mark.parametrize(
    "url",
    [
        "https://rmap.example/",
        "https://api.rmap.example.com/",
        "https://notshops.example/",
        "https://shops.example.org/",
        "http://127.0.0.1:4567/",
        "http://127.0.0.2:4566/",
    ],
)
def test_others_addresses_are_not_ours(url: str) -> None:
    assert not OURS.has(parse(url, LOOPBACK))


def test_who_has_no_addresses_is_never_named() -> None:
    assert not own([]).has(parse("https://example.com/", LOOPBACK))
