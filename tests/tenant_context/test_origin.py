"""Who asked, when CloudFront stands in front."""

import pytest

from tenant_context.entry.origin import Edge

NEIGHBOUR = "192.0.2.9"


@pytest.mark.parametrize(
    ("hops", "address"),
    [
        ("203.0.113.7, 130.176.0.1", "203.0.113.7"),
        ("10.0.0.1, 203.0.113.7, 130.176.0.1", "203.0.113.7"),
        ("made up, 127.0.0.1,203.0.113.7,130.176.0.1", "203.0.113.7"),
        ("2001:db8::7, 130.176.0.1", "2001:db8::7"),
        ("130.176.0.1", NEIGHBOUR),
        ("", NEIGHBOUR),
    ],
)
def test_what_the_caller_claims_does_not_count(hops: str, address: str) -> None:
    assert Edge("any").caller({"x-forwarded-for": hops}, NEIGHBOUR) == address


def test_without_the_header_it_is_the_neighbour() -> None:
    assert Edge("any").caller({}, NEIGHBOUR) == NEIGHBOUR
