"""What is said of limits, without a database."""

from shared.plans.model import Limit
from shared.plans.rules import nearly_reached


def limit(name: str, value: int | None, usage: float) -> Limit:
    return Limit(name, value, usage, "plan", None)


def test_a_limit_is_nearly_reached_from_four_fifths_on() -> None:
    limits = [limit("sites", 10, 8), limit("sensors", 10, 7), limit("users", 10, 12), limit("storage_gb", 1, 0.79)]
    assert nearly_reached(limits) == ["sites", "users"]


def test_what_has_no_limit_or_is_in_no_plan_is_not_nearly_reached() -> None:
    assert nearly_reached([limit("sites", None, 10**6), limit("panels", 0, 0)]) == []
