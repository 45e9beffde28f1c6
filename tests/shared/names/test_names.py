"""Slugs that are kept back, and the one form of a host's name."""

import pytest
from pydantic import TypeAdapter, ValidationError

from functions.auth.schemas.sign_in import Slug
from shared.identity.rules import slug_of
from shared.names.errors import NotAHost
from shared.names.rules import RESERVED_SLUGS, host, is_at_or_below, shown
from tenant_context.clock import uuid7

SLUG: TypeAdapter[str] = TypeAdapter(Slug)


@pytest.mark.parametrize("slug", ["acme", "a1b", "acme-stores", "a-b-c", "123", "x" * 63])
def test_a_slug_is_a_label_of_a_subdomain(slug: str) -> None:
    assert SLUG.validate_python(slug) == slug
    assert host(f"{slug}.rmap.localhost") == f"{slug}.rmap.localhost"


@pytest.mark.parametrize(
    "slug",
    ["", "ab", "x" * 64, "x-" * 40 + "x", "-acme", "acme-", "ac--me", "xn--bcher-kva", "Acme", "acme.stores", "ac_me",
     "acmé", "acme ", "acme\n"],
)  # fmt: skip
def test_what_is_no_label_is_no_slug(slug: str) -> None:
    with pytest.raises(ValidationError):
        SLUG.validate_python(slug)


@pytest.mark.parametrize("slug", ["www", "api", "admin", "status", "mail", "autodiscover", "support"])
def test_a_word_that_people_take_for_the_platform_is_no_slug(slug: str) -> None:
    assert slug in RESERVED_SLUGS
    with pytest.raises(ValidationError):
        SLUG.validate_python(slug)


@pytest.mark.parametrize("name", ["Admin", "WWW", "no reply", "Status!", "x"])
def test_a_slug_that_is_made_of_a_name_is_never_a_reserved_one(name: str) -> None:
    assert slug_of(name, uuid7()) not in RESERVED_SLUGS
    long = slug_of("Very " * 60, uuid7())
    assert SLUG.validate_python(long) == long


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Media.Example.COM", "media.example.com"),
        ("media.example.com.", "media.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("日本。example", "xn--wgv71a.example"),
        ("a--b.example", "a--b.example"),
    ],
)
def test_a_host_has_one_form_however_it_is_written(said: str, meant: str) -> None:
    assert host(said) == meant
    assert host(shown(meant)) == meant


@pytest.mark.parametrize(
    "text",
    ["", ".", "localhost", "example", "10.0.0.1", "[::1]", "a..example", "-a.example", "a-.example", "a_b.example",
     "a b.example", "xn--.example", "xn--zzzzzzz-.example", "ab--c.example", "a\x00.example", "*.example.com",
     "x" * 64 + ".example", ("x" * 60 + ".") * 5 + "example", "☃" * 300, "a/b.example", "a@b.example",
     "ß\u200d.example", "\u0301a.example"],
)  # fmt: skip
def test_what_no_host_can_be_called_is_none(text: str) -> None:
    with pytest.raises(NotAHost):
        host(text)


def test_below_a_domain_is_what_ends_in_it_after_a_dot() -> None:
    assert is_at_or_below("rmap.example", "rmap.example")
    assert is_at_or_below("a.b.rmap.example", "rmap.example")
    assert not is_at_or_below("notrmap.example", "rmap.example")
