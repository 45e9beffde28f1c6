"""A URL that could mean two things is refused."""

import pytest

from shared.outbound.errors import UrlRefused
from shared.outbound.rules.addresses import allow_list
from shared.outbound.rules.urls import parse

LOOPBACK = allow_list(["127.0.0.0/8"])
GOOD = {
    "https://example.com": ("example.com", "/", "example.com"),
    "https://example.com/": ("example.com", "/", "example.com"),
    "HTTPS://Hooks.Example.COM:443/a/b?c=d": ("hooks.example.com", "/a/b?c=d", "hooks.example.com"),
    "https://example.com?x=1": ("example.com", "/?x=1", "example.com"),
    "https://xn--bcher-kva.example/%C3%BC": ("xn--bcher-kva.example", "/%C3%BC", "xn--bcher-kva.example"),
    "https://1.1.1.1/x": ("1.1.1.1", "/x", "1.1.1.1"),
    "https://[2606:4700:4700::1111]/": ("2606:4700:4700::1111", "/", "[2606:4700:4700::1111]"),
    "https://1password.com/": ("1password.com", "/", "1password.com"),
}
BAD = [
    "",
    "example.com",
    "//example.com/",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "https:example.com",
    "https:///path",
    "https://",
    "https://?x",
    "https://example.com:8443/",
    "https://example.com:80/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:/",
    "https://example.com:44 3/",
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com#fragment",
    "https://example.com\\@127.0.0.1/",
    "https://exa mple.com/",
    "https://example.com/a b",
    "https://example.com/\r\nx: y",
    "https://example.com/\tx",
    "https://example.com/\x00",
    "https://example.com/%zz",
    "https://example.com/%",
    "https://ex%61mple.com/",
    "https://bücher.example/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://127\u30020\u30020\u30021/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.01/",
    "https://017700000001/",
    "https://1.1.1.1.1/",
    "https://256.1.1.1/",
    "https://example.0x/",
    "https://example.1/",
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://10.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://[::1",
    "https://[zz]/",
    "https://[v1.x]/",
    "https://0/",
    "https://0.0.0.0/",
    "https://100.100.100.200/",
    "https://0x7f000001.0/",
    "https://0X7F.1/",
    "https://0b1111111.0.0.1/",
    "https://127.0.0.1.0x0/",
    "https://%31%32%37.0.0.1/",
    "https://127%2e0%2e0%2e1/",
    "https://example.com%2f@127.0.0.1/",
    "https://example.com%00.evil.example/",
    "https://\u2460\u2461\u2466.0.0.1/",
    "https://example\uff0ecom/",
    "https://ex\u00adample.com/",
    "https://example.com/\u202egpj.exe",
    "https://example.com/\ud800",
    "https://example.com:443:443/",
    "https://example.com:\uff14\uff14\uff13/",
    "https://example.com:+443/",
    "https://example.com:4_43/",
    "https:\\\\example.com\\",
    "https:/example.com/",
    " https://example.com/",
    "https://example.com/\n",
    "https://[::]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::808:808]/",
    "https://[2002:7f00:1::1]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "https://[2606:4700::5efe:a00:1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[ff02::1]/",
    "https://[1.1.1.1]/",
    "https://[2606:4700:4700::1111]evil/",
    "https://2606:4700:4700::1111/",
    "https://localhost/",
    "https://receiver.localhost/",
    "https://metadata/",
    "https://example.com./",
    "https://.example.com/",
    "https://exa..mple.com/",
    "https://-example.com/",
    "https://under_score.example/",
    f"https://{'a' * 64}.example/",
    f"https://{'a.' * 130}example/",
    f"https://example.com/{'a' * 2048}",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_plain_https_url_is_taken(url: str) -> None:
    checked = parse(url, ())
    assert (checked.host, checked.target, checked.host_header) == GOOD[url]
    assert (checked.tls, checked.port, checked.exempt_only) == (True, 443, False)


@pytest.mark.parametrize("url", BAD)
def test_anything_else_is_refused_with_a_reason(url: str) -> None:
    with pytest.raises(UrlRefused) as refused:
        parse(url, ())
    assert refused.value.errors[0].pointer == "/url"
    assert refused.value.errors[0].message


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/hook", "http://localhost:9000/hook", "https://127.0.0.1:9443/"])
def test_the_allow_list_opens_http_and_ports_to_its_addresses(url: str) -> None:
    assert parse(url, LOOPBACK).exempt_only


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8/",
        "https://8.8.8.8:8443/",
        "http://10.0.0.1/",
        "http://2130706433/",
        "http://example.com/",
        "https://example.com:8443/",
        "http://intranet/",
    ],
)
def test_the_allow_list_opens_nothing_else(url: str) -> None:
    with pytest.raises(UrlRefused):
        parse(url, LOOPBACK)


def test_the_host_header_names_a_port_that_is_not_the_schemes_own() -> None:
    assert parse("http://127.0.0.1:9000/", LOOPBACK).host_header == "127.0.0.1:9000"
    assert parse("http://127.0.0.1/", LOOPBACK).host_header == "127.0.0.1"
