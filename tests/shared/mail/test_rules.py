"""Mails: every kind, in text and in HTML, and nothing in them that a stranger could make of them."""

from html.parser import HTMLParser

import pytest

from shared.mail.model import Kind
from shared.mail.rules import write

VALUES = {"name": "Ada", "token": "em_abc", "source_ip": "203.0.113.7", "organization": "Ada", "role": "admin",
          "email": "ada@new.example", "days": "7", "day": "2026-03-16", "endpoint": "0193a0c2", "host": "hooks.example",
          "since": "2026-03-01 09:30", "until": "2026-03-06 09:30", "reason": "The receiver answered 500."}  # fmt: skip


class Words(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.tags.add(tag)


def read(page: str) -> Words:
    words = Words()
    words.feed(page)
    return words


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.NOBODY])
def test_every_kind_says_the_same_in_text_and_in_html(kind: Kind) -> None:
    mail = write(kind, VALUES)
    assert mail.subject
    assert "Ada" in mail.text
    assert "".join(mail.text.split()) == "".join(read(mail.html).text.removeprefix(mail.subject).split())


def test_a_name_is_a_name_and_nothing_else() -> None:
    name = "<a href='https://evil.example'>Ada</a>\n\nClick http://evil.example or www.evil.example $token"
    mail = write(Kind.CONFIRM_ADDRESS, {**VALUES, "name": name})
    assert read(mail.html).tags <= {"html", "head", "meta", "title", "body", "p", "pre"}
    assert "://" not in mail.text
    assert "www." not in mail.text
    assert mail.text.count("em_abc") == 1
    assert len(write(Kind.CONFIRM_ADDRESS, {**VALUES, "name": "x" * 5000}).text) < 1000


def test_a_value_that_is_missing_is_told() -> None:
    with pytest.raises(KeyError):
        write(Kind.RESET_PASSWORD, {"name": "Ada"})
