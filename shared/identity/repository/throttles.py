"""Counts of what was tried, in DynamoDB."""

from dataclasses import dataclass

from tenant_context.dynamo import ConditionFailed, Table


@dataclass(frozen=True, slots=True)
class Tries:
    """How often something was tried in a row, and when last (seconds since 1970)."""

    count: int = 0
    last: float = 0.0


class ThrottleRepository:
    """One count for each key; forgotten some time after the last try."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, keys: list[str], now: float) -> dict[str, Tries]:
        """The counts of those keys that are remembered."""
        items = self._table.get_many([(f"throttle#{key}", "tries") for key in keys])
        return {
            item["pk"].removeprefix("throttle#"): Tries(int(item["count"]), float(item["last"]))
            for item in items
            if int(item["expires_at"]) > now
        }

    def note(self, key: str, seen: Tries, now: float, forget_after: int) -> bool:
        """Count one try more than was seen; False when somebody else counted meanwhile."""
        values = {":count": seen.count + 1, ":last": f"{now:.3f}", ":until": int(now) + forget_after}
        if seen.count:
            condition, values[":seen"] = "#count = :seen", seen.count
        else:
            condition, values[":now"] = "attribute_not_exists(pk) OR expires_at <= :now", int(now)
        try:
            self._table.update(
                f"throttle#{key}",
                "tries",
                "SET #count = :count, #last = :last, expires_at = :until",
                values,
                condition=condition,
                names={"#count": "count", "#last": "last"},
            )
        except ConditionFailed:
            return False
        return True

    def forget(self, key: str) -> None:
        """Begin anew."""
        self._table.delete(f"throttle#{key}", "tries")
