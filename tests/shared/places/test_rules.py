"""Language tags, currencies, time zones, colours and domains, judged alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as any_of

from shared.places import rules
from shared.places.errors import BadSetting, DomainRefused
from shared.places.model import ACCENT, PRIMARY, OwnSettings
from shared.sites.errors import UnknownTimeZone


@pytest.mark.parametrize(
    ("said", "kept"),
    [("EN", "en"), ("pt-br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419"),
     ("ca-VALENCIA", "ca-valencia"), ("sl-rozaj-biske-1994", "sl-rozaj-biske-1994"), ("gsw", "gsw")],
)  # fmt: skip
def test_a_language_tag_is_kept_as_bcp_47_recommends(said: str, kept: str) -> None:
    assert rules.locale(said) == kept
    assert rules.locale(kept) == kept


@pytest.mark.parametrize("text", ["", "e", "english", "en_US", "en-", "en-USA", "de-DE-", "de--DE", "1n", "é", "en US"])
def test_what_is_no_language_tag_is_refused(text: str) -> None:
    with pytest.raises(BadSetting) as refused:
        rules.locale(text)
    assert refused.value.errors[0].pointer == "/locale"


@pytest.mark.parametrize("code", ["XXX", "XAU", "ABC", "eur", "HRK"])
def test_what_no_country_pays_with_is_no_currency(code: str) -> None:
    with pytest.raises(BadSetting):
        rules.check(OwnSettings(currency=code))


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "europe", "../etc/passwd", "Europe", "UTC+2", "localtime", "posixrules", "right/UTC", ""]
)
def test_a_time_zone_is_one_that_iana_knows(name: str) -> None:
    with pytest.raises(UnknownTimeZone):
        rules.check(OwnSettings(time_zone=name))
    rules.check(OwnSettings(time_zone="America/Argentina/Buenos_Aires"))


@pytest.mark.parametrize(
    ("color", "text", "contrast"),
    [("#000000", "#ffffff", 21.0), ("#ffffff", "#000000", 21.0), ("#ffff00", "#000000", 19.56),
     ("#0000ff", "#ffffff", 8.59), ("#767676", "#000000", 4.62), ("#757575", "#ffffff", 4.61)],
)  # fmt: skip
def test_text_is_black_or_white_whichever_is_read_better(color: str, text: str, contrast: float) -> None:
    assert rules.text_on(color) == (text, contrast)


@given(any_of.integers(0, 0xFFFFFF))
def test_text_can_be_read_on_every_colour_there_is(color: int) -> None:
    assert rules.text_on(f"#{color:06x}")[1] >= 4.58


@pytest.mark.parametrize("color", [PRIMARY, ACCENT])
def test_white_is_read_on_the_platforms_own_colours(color: str) -> None:
    assert rules.text_on(color)[0] == rules.WHITE


@pytest.mark.parametrize(
    "domain", ["rmap.example", "acme.rmap.example", "api.example.net", "media.local", "x.localhost", "1.arpa", "a.test"]
)
def test_the_platforms_own_names_and_those_that_lead_nowhere_are_nobodys(domain: str) -> None:
    with pytest.raises(DomainRefused):
        rules.check_domain(domain, ("rmap.example", "api.example.net"), 230)


def test_a_domain_leaves_room_for_its_challenge() -> None:
    rules.check_domain("media.example.com", (), 17)
    with pytest.raises(DomainRefused):
        rules.check_domain("media.example.com", (), 16)


@pytest.mark.parametrize(
    ("host", "base", "slug"),
    [("acme.rmap.localhost", "rmap.localhost", "acme"), ("rmap.localhost", "rmap.localhost", None),
     ("a.b.rmap.localhost", "rmap.localhost", None), ("acme.example", "rmap.localhost", None),
     ("acmermap.localhost", "rmap.localhost", None), ("acme.example", "", None)],
)  # fmt: skip
def test_a_subdomain_is_one_label_below_the_base(host: str, base: str, slug: str | None) -> None:
    assert rules.slug_at(host, base) == slug
    if slug:
        assert rules.subdomain(slug, base) == host


def test_without_a_base_domain_there_are_no_subdomains() -> None:
    assert rules.subdomain("acme", "") is None
