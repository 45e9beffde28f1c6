"""Conditions on what an event holds: what holds, what is refused, and that nothing makes them slow or break."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.webhooks.model import Condition, Op, Scalar
from shared.webhooks.rules import conditions

BODY: dict[str, Any] = {
    "type": "campaign.launched",
    "data": {
        "status": "active",
        "budget": "1250.00",
        "version": 3,
        "share": 0.5,
        "paid": True,
        "reason": None,
        "tags": ["spring", "drinks"],
        "a/b": {"~": "odd"},
        "": "nameless",
    },
}


def holds(path: str, op: str, value: Scalar | tuple[Scalar, ...]) -> bool:
    return conditions.hold([Condition(path, Op(op), value)], BODY)


@pytest.mark.parametrize(
    ("path", "op", "value"),
    [
        ("/type", "equals", "campaign.launched"),
        ("/data/status", "not_equals", "paused"),
        ("/data/status", "in", ("paused", "active")),
        ("/data/status", "not_in", ("paused",)),
        ("/data/status", "prefix", "act"),
        ("/data/version", "equals", 3.0),
        ("/data/version", "at_least", 3),
        ("/data/version", "at_most", 3),
        ("/data/version", "less", 4),
        ("/data/share", "greater", 0.25),
        ("/data/budget", "greater", 1000),
        ("/data/budget", "at_most", "1250"),
        ("/data/paid", "equals", True),
        ("/data/reason", "equals", None),
        ("/data/reason", "exists", True),
        ("/data/missing", "exists", False),
        ("/data/tags/1", "equals", "drinks"),
        ("/data/a~1b/~0", "equals", "odd"),
        ("/data/", "equals", "nameless"),
    ],
)
def test_it_holds(path: str, op: str, value: Scalar | tuple[Scalar, ...]) -> None:
    assert holds(path, op, value)
    assert conditions.check([Condition(path, Op(op), value)]) == []


@pytest.mark.parametrize(
    ("path", "op", "value"),
    [
        ("/data/status", "equals", "paused"),
        ("/data/version", "equals", "3"),
        ("/data/version", "equals", True),
        ("/data/paid", "equals", 1),
        ("/data/paid", "at_least", 0),
        ("/data/status", "greater", 1),
        ("/data/version", "prefix", "3"),
        ("/data/version", "less", 3),
        ("/data/version", "greater", 3),
        ("/data/missing", "not_equals", "x"),
        ("/data/missing", "not_in", ("x",)),
        ("/data/missing", "exists", True),
        ("/data/tags/2", "exists", True),
        ("/data/tags/-1", "exists", True),
        ("/data/tags/01", "equals", "spring"),
        ("/data/tags/x", "exists", True),
        ("/data/status/0", "exists", True),
    ],
)
def test_it_does_not_hold(path: str, op: str, value: Scalar | tuple[Scalar, ...]) -> None:
    assert not holds(path, op, value)


def test_all_have_to_hold() -> None:
    good, bad = Condition("/data/version", Op.EQUALS, 3), Condition("/data/version", Op.EQUALS, 4)
    assert conditions.hold([], BODY)
    assert conditions.hold([good, good], BODY)
    assert not conditions.hold([good, bad], BODY)


@pytest.mark.parametrize(
    ("path", "op", "value", "pointer"),
    [
        ("data/status", Op.EQUALS, "x", "/conditions/0/path"),
        ("", Op.EQUALS, "x", "/conditions/0/path"),
        ("/" + "a" * 200, Op.EQUALS, "x", "/conditions/0/path"),
        ("/a" * 9, Op.EQUALS, "x", "/conditions/0/path"),
        ("/a~2", Op.EQUALS, "x", "/conditions/0/path"),
        ("/a", Op.EQUALS, ("x",), "/conditions/0/value"),
        ("/a", Op.EQUALS, "x" * 501, "/conditions/0/value"),
        ("/a", Op.EQUALS, "x\x00", "/conditions/0/value"),
        ("/a", Op.EQUALS, 10**400, "/conditions/0/value"),
        ("/a", Op.EQUALS, float("nan"), "/conditions/0/value"),
        ("/a", Op.IN, "x", "/conditions/0/value"),
        ("/a", Op.IN, (), "/conditions/0/value"),
        ("/a", Op.IN, ("x",) * 101, "/conditions/0/value"),
        ("/a", Op.EXISTS, "yes", "/conditions/0/value"),
        ("/a", Op.PREFIX, 7, "/conditions/0/value"),
        ("/a", Op.PREFIX, "", "/conditions/0/value"),
        ("/a", Op.LESS, "soon", "/conditions/0/value"),
        ("/a", Op.LESS, "1e9", "/conditions/0/value"),
        ("/a", Op.LESS, "Infinity", "/conditions/0/value"),
        ("/a", Op.LESS, True, "/conditions/0/value"),
    ],
)
def test_it_is_refused_by_name(path: str, op: Op, value: Scalar | tuple[Scalar, ...], pointer: str) -> None:
    assert [error.pointer for error in conditions.check([Condition(path, op, value)])] == [pointer]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
bodies = st.dictionaries(
    st.text(max_size=4), st.recursive(scalars, lambda x: st.lists(x) | st.dictionaries(st.text(), x)), max_size=4
)


@given(st.text(max_size=40), st.sampled_from(Op), scalars | st.lists(scalars, max_size=4).map(tuple), bodies)
def test_whatever_is_asked_of_whatever_is_answered_yes_or_no(path: str, op: Op, value: Any, body: Any) -> None:
    condition = Condition("/" + path, op, value)
    conditions.check([condition])
    assert conditions.hold([condition], body) in {True, False}
