"""The error tree: one status for each word, and headers where HTTP wants them."""

import pytest

from tenant_context import errors
from tenant_context.errors import (
    LimitReached,
    MethodNotAllowed,
    RmapError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)


def tree(root: type[RmapError] = RmapError) -> list[type[RmapError]]:
    """The errors of the kernel, whatever else a test process has imported."""
    below = [kind for child in root.__subclasses__() for kind in tree(child)]
    return [kind for kind in [root, *below] if kind.__module__ == errors.__name__]


def branches() -> list[type[RmapError]]:
    """The root and what springs from it directly; a closer word for one of them keeps its status."""
    return [kind for kind in tree() if kind is RmapError or RmapError in kind.__bases__]


def test_every_error_has_a_status_of_its_own() -> None:
    statuses = [kind.status for kind in branches()]
    assert len(statuses) == len(set(statuses))
    assert sorted(statuses) == [400, 401, 402, 403, 404, 405, 409, 412, 413, 415, 422, 428, 429, 500, 503]


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_every_error_says_what_it_is(kind: type[RmapError]) -> None:
    assert kind.code == kind.code.lower()
    assert kind.title
    assert kind.__doc__


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {line.split("─ ")[1].split()[0]: int(line.split()[2]) for line in (errors.__doc__ or "").splitlines()
             if "─ " in line}  # fmt: skip
    assert drawn == {kind.__name__: kind.status for kind in branches() if kind is not RmapError}


@pytest.mark.parametrize("kind", [kind for kind in tree() if kind not in branches()], ids=lambda kind: kind.__name__)
def test_a_closer_word_keeps_the_status(kind: type[RmapError]) -> None:
    (above,) = kind.__bases__
    assert issubclass(above, RmapError)
    assert kind.status == above.status


def test_an_error_without_words_speaks_its_title() -> None:
    assert RmapError().detail == str(RmapError()) == RmapError.title


def test_http_gets_the_headers_it_wants() -> None:
    assert Unauthenticated().headers == {"www-authenticate": 'Bearer realm="rmap"'}
    assert MethodNotAllowed(("GET", "PUT")).headers == {"allow": "GET, PUT"}
    assert TooManyRequests("slow down", retry_after=7).headers == {"retry-after": "7"}
    assert Unavailable().headers == {"retry-after": "1"}


def test_headers_are_one_errors_own() -> None:
    first, second = Unauthenticated(), Unauthenticated()
    first.headers["x"] = "y"
    assert "x" not in second.headers


@pytest.mark.parametrize(
    ("limit", "value", "usage", "says"),
    [
        ("custom_domains", 0, 0, "The organization's plan has no custom domains: change the plan to have some."),
        ("sites", 0, 2, "The limit sites is 0, and in use are 2: remove what there is, or change the plan."),
        ("sites", 1, 1, "The limit sites is 1, and in use are 1: remove one, or change the plan."),
        (
            "users", 3, 3,
            "The limit users is 3, and in use are 3 (open invitations count as well): remove one, or change the plan.",
        ),
    ],
)  # fmt: skip
def test_a_limit_that_is_reached_says_a_way_out_that_there_is(limit: str, value: int, usage: int, says: str) -> None:
    assert LimitReached(limit, value, usage).detail == says
