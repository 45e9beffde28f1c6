"""A week of a made-up store: what its people counters and its till would have said, at every run the same.

What is said of a moment does not depend on the day the week begins, so weeks of two runs may overlap.
"""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

OPENS, CLOSES = 9, 20
_QUARTER = timedelta(minutes=15)


def counts(serial: str, door: int, monday: datetime) -> Iterator[dict[str, Any]]:
    """Seven days of 15-minute counts of one door, busiest in the afternoon and on the weekend."""
    for step in range(7 * 96):
        start = monday + step * _QUARTER
        entries, exits = _flow(start, door), _flow(start - timedelta(minutes=30), door)
        yield {
            "sensor": serial,
            "start": start.isoformat(),
            "end": (start + _QUARTER).isoformat(),
            "entries": entries,
            "exits": exits,
        }


def receipts(site: str, monday: datetime) -> Iterator[dict[str, Any]]:
    """A receipt for about every fourth visitor of the first door, half past each hour and on the hour."""
    for step in range(7 * 48):
        moment = monday + step * timedelta(minutes=30)
        for number in range(_flow(moment, 0) // 4):
            quantity = 1 + (moment.day + moment.hour + number) % 3
            yield {
                "id": f"{moment:%Y%m%d-%H%M}-{number:02d}",
                "site": site,
                "time": (moment + timedelta(seconds=60 * number)).isoformat(),
                "currency": "EUR",
                "total": f"{quantity * 12.5:.2f}",
                "lines": [
                    {
                        "sku": f"SKU-{(7 * moment.hour + number) % 40:03d}",
                        "quantity": str(quantity),
                        "unit_price": "12.50",
                    }
                ],
            }


def _flow(moment: datetime, door: int) -> int:
    hour = moment.hour + moment.minute / 60
    if not OPENS <= hour < CLOSES:
        return 0
    weekend = 1.6 if moment.weekday() >= 5 else 1.0  # noqa: PLR2004  Saturday
    wave = math.sin((hour - OPENS) / (CLOSES - OPENS) * math.pi)
    return int(weekend * wave * (22 - 6 * door) + (moment.day * 7 + moment.hour * 3 + door) % 4)
