"""How many rows a tenant may push in a day (UTC), over all sandboxes together.

The day's rows are one number of an item of DynamoDB; it lies beside the tenant's bucket of calls. A sandbox takes from
it what a push needs and, if it asked within the last minute, twice what it spent since then, B = a hundredth of the
day's rows at most: the pushes after it are taken from memory. So pushes in quick succession cost an update for every B
rows; a push now and then is counted row by row. Without a limit it takes 10,000 in
reserve, as that keeps nothing from anybody. Pushes are taken whole or refused whole.

With N sandboxes that serve a tenant, of a day never more rows are let through than its plan takes, and a push of n rows
is refused only while fewer than n + N · B of them are unspent. A refused push counts nothing. A sandbox that ends takes
the B rows with it that it has not spent. A refused sandbox need not ask again: a day's number never falls.

While DynamoDB does not answer nobody is refused: what is let through is counted with the next push that the sandbox
asks for, if there is one.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from tenant_context.aws import AwsError
from tenant_context.dynamo import Table, tenant_key
from tenant_context.refusals import RowsOfDayTaken

_SHARE = 100
_LARGEST = 10_000
_BUSY_SECONDS = 60.0
_BLIND_SECONDS = 5.0
_KEPT = 4_096
_KEPT_DAYS = timedelta(days=3)
_DAY = 86_400


def largest_reserve(limit: int | None) -> int:
    """B: a hundredth of the day's rows."""
    return _LARGEST if limit is None else min(_LARGEST, max(1, limit // _SHARE))


def policy(limit: int) -> str:
    """What the RateLimit-Policy header field says of the day's rows."""
    return f'"rows";q={limit};w={_DAY}'


class SharedRows:
    """The days' rows of all tenants."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, tenant: UUID, rows: int, limit: int | None, now: float) -> tuple[bool, int]:
        """Count so many rows, if the limit is not passed by it: whether it was not, and the day's rows then.

        Errors: AwsError. One whose answer is lost may count twice.
        """
        moment = datetime.fromtimestamp(now, UTC)
        values: dict[str, Any] = {
            ":none": 0,
            ":rows": rows,
            ":most": limit - rows if limit is not None else 10**15,
            ":expires_at": int((moment + _KEPT_DAYS).timestamp()),
        }
        first = "attribute_not_exists(#day) OR " if values[":most"] >= 0 else ""
        day = _name(moment)
        done, item = self._table.change_or_see(
            tenant_key(tenant, "rate"),
            "rows",
            "SET #day = if_not_exists(#day, :none) + :rows, expires_at = :expires_at REMOVE #before",
            values,
            condition=f"{first}#day <= :most",
            names={"#day": day, "#before": _name(moment - timedelta(days=1))},
        )
        return done, int(item.get(day, 0))

    def today(self, tenant: UUID, now: datetime) -> tuple[int, int]:
        """A tenant's calls and rows of the day, those that sandboxes hold unspent included. Errors: AwsError.

        Asked by updates that are never made: functions may do nothing else with the table.
        """
        calls, rows = (
            self._table.change_or_see(
                tenant_key(tenant, "rate"),
                kind,
                "REMOVE #day",
                {":none": 0},
                condition="#day < :none",
                names={"#day": name},
            )[1].get(name, 0)
            for kind, name in (("bucket", f"calls_{now.astimezone(UTC):%Y%m%d}"), ("rows", _name(now.astimezone(UTC))))
        )
        return int(calls), int(rows)


def _name(moment: datetime) -> str:
    return f"rows_{moment:%Y%m%d}"


@dataclass(slots=True)
class _Purse:
    """What a sandbox has of a tenant's day, and knows of the rest; times in seconds since 1970."""

    day: float
    left: int = 0
    """Below zero: what was let through uncounted, as DynamoDB was away."""
    spent: int = 0
    """Since it last asked."""
    asked_at: float = 0.0
    counted: int = 0

    def unspent(self, limit: int) -> int:
        """Of the day's rows, as far as is known."""
        return max(0, limit - self.counted + self.left)


class RowLimiter:
    """Lets a tenant's pushes through, or raises."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        shared: SharedRows | None = None,
        warn: Callable[..., None] = lambda _, **__: None,
    ) -> None:
        self._clock = clock
        self._shared = shared
        self._warn = warn
        self._purses: OrderedDict[UUID, _Purse] = OrderedDict()
        self._blind_at: float | None = None

    def take(self, tenant: UUID, limit: int | None, rows: int) -> dict[str, str]:
        """Take a push's rows, and answer what the RateLimit header fields say of them.

        Errors: RowsOfDayTaken, which carries the same fields; then nothing was taken.
        """
        now = self._clock().timestamp()
        purse = self._purse(tenant, now)
        if rows > purse.left:
            self._ask(tenant, purse, limit, rows, now)
        purse.left -= rows
        purse.spent += rows
        return _fields(purse, limit, now)

    def give_back(self, tenant: UUID, rows: int) -> None:
        """What was taken for a push that was not kept: this sandbox's next pushes have it."""
        purse = self._purses.get(tenant)
        if purse is not None and purse.day == self._clock().timestamp() // _DAY:
            purse.left += rows

    def _ask(self, tenant: UUID, purse: _Purse, limit: int | None, rows: int, now: float) -> None:
        """Fill the purse, so that it holds the rows; or let them be owed. Errors: RowsOfDayTaken."""
        needed = rows - purse.left
        if limit is not None and purse.asked_at and needed > limit - purse.counted:
            raise self._refusal(purse, limit, now)
        if self._shared is None or (self._blind_at is not None and 0 <= now - self._blind_at < _BLIND_SECONDS):
            return
        busy = 0 <= now - purse.asked_at < _BUSY_SECONDS
        reserve = largest_reserve(limit)
        if limit is not None:
            reserve = min(2 * purse.spent, reserve) if busy else 0
        try:
            for wanted in (needed + reserve, needed) if reserve else (needed,):
                done, purse.counted = self._shared.take(tenant, wanted, limit, now)
                purse.asked_at = now
                if done:
                    purse.left += wanted
                    purse.spent = 0
                    return
        except AwsError as error:
            self._blind_at = now
            self._warn("the day's rows are not counted for now", code=error.code)
            return
        raise self._refusal(purse, limit or 0, now)

    def _purse(self, tenant: UUID, now: float) -> _Purse:
        day = now // _DAY
        purse = self._purses.get(tenant)
        if purse is None or purse.day != day:
            purse = self._purses[tenant] = _Purse(day)
            if len(self._purses) > _KEPT:
                self._purses.popitem(last=False)
        self._purses.move_to_end(tenant)
        return purse

    @staticmethod
    def _refusal(purse: _Purse, limit: int, now: float) -> RowsOfDayTaken:
        resets_at = datetime.fromtimestamp((now // _DAY + 1) * _DAY, UTC)
        error = RowsOfDayTaken(limit, purse.counted - purse.left, resets_at, now)
        error.headers |= _fields(purse, limit, now)
        return error


def _fields(purse: _Purse, limit: int | None, now: float) -> dict[str, str]:
    if limit is None:
        return {}
    resets = ceil((now // _DAY + 1) * _DAY - now)
    return {"ratelimit": f'"rows";r={purse.unspent(limit)};t={resets}', "ratelimit-policy": policy(limit)}
