"""Real counters' data through the door and the processor: what is wrong with it is found, and nothing else is.

Needs a folder (RMAP_DATA, or ../shared/data) with `leeds/footfall.csv.gz` (Leeds City Council, Open Government
Licence) and `calit2/CalIt2.data` (UCI).
"""

import csv
import gzip
import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.integration.counted import Line, add_sensor, add_site, found, known
from tests.real import DATA, MISSING

Tenants = tuple[TenantContext, TenantContext]
LEEDS, CALIT2 = DATA / "leeds" / "footfall.csv.gz", DATA / "calit2" / "CalIt2.data"
FORMATS = ("%d/%m/%Y", "%Y-%m-%d", "%d-%b-%y", "%d-%b-%Y")
SINCE = date(2014, 1, 1)
"""All that is known to be wrong is after this; the years before are as long again as these."""
A_PUSH = 9_000


def day_of(text: str) -> date:
    for form in FORMATS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  a day has no zone
        except ValueError:
            continue
    raise ValueError(text)


def cameras() -> dict[str, list[tuple[str, int, int]]]:
    """Rows of each camera in the order of the file: local time, who came, and nobody who left."""
    days: dict[str, date] = {}
    rows = defaultdict(list)
    with gzip.open(LEEDS) as raw:
        for row in csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8-sig")):
            day = days.setdefault(row["Date"], day_of(row["Date"]))
            if day >= SINCE:
                rows[row["LocationName"]].append((f"{day} {int(row['Hour']):02d}:00", int(row["InCount"]), 0))
    return rows


def pushes(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), A_PUSH):
        yield rows[start : start + A_PUSH]


@pytest.mark.skipif(not LEEDS.is_file(), reason=MISSING + "leeds/footfall.csv.gz")
def test_the_doubled_the_missing_and_the_leapt_of_leeds_are_found_and_no_others(
    database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    streets = cameras()
    assert len(streets) == 8
    with database.transaction(acme) as tx:
        site = add_site(tx, "Europe/London")
        sensors = {name: add_sensor(tx, site, name) for name in streets}
    line = Line(database, acme, {name: known(sensor, "Europe/London") for name, sensor in sensors.items()})
    told: Counter[str] = Counter()
    for name, rows in streets.items():
        # The days that the export holds twice are in one push, as they were in the export.
        for push in pushes(sorted(rows)):
            receipt = line.push_csv(name, push)
            told["accepted"] += receipt.accepted
            told["duplicates"] += receipt.duplicates
            told.update(one.code for one in receipt.refused)
    assert told["accepted"] + told["duplicates"] + told["local-time-missing"] + told["local-time-twice"] == sum(
        map(len, streets.values())
    )
    assert (told["duplicates"], told["local-time-missing"], told["local-time-twice"]) == (576, 24, 24)
    line.score()
    missing = [
        (date(2014, 1, 31), date(2014, 2, 2)),
        (date(2015, 7, 3), date(2015, 7, 5)),
        (date(2015, 8, 31), date(2015, 9, 6)),
    ]
    assert found(database, acme, "missing_day") == dict.fromkeys(sorted(streets), missing)
    doubled = [(date(2016, 7, 1), date(2016, 7, 3))]
    assert found(database, acme, "doubled_day") == dict.fromkeys(sorted(streets), doubled)
    changes = [(2014, 3, 30), (2014, 10, 26), (2015, 3, 29), (2015, 10, 25), (2016, 3, 27), (2016, 10, 30)]
    clock = [(date(*day), date(*day)) for day in changes]
    assert found(database, acme, "clock_change") == dict.fromkeys(sorted(streets), clock)
    assert found(database, acme, "gap") == {"AlbionStSouth": [(date(2014, 5, 17), date(2014, 5, 17))]}
    assert found(database, acme, "imbalance") == {}  # these cameras count one way
    assert found(database, acme, "clock_skew") == {}
    assert found(database, acme, "overlap") == {}
    assert found(database, acme, "jump") == {}


@pytest.mark.skipif(not CALIT2.is_file(), reason=MISSING + "calit2/CalIt2.data")
def test_that_more_come_than_leave_at_calit2_is_found(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    counts: dict[datetime, list[int]] = defaultdict(lambda: [0, 0])
    for text in CALIT2.read_text().split():
        flow, day, time, people = text.split(",")
        moment = datetime.strptime(f"{day} {time}", "%m/%d/%y %H:%M:%S")  # noqa: DTZ007  as the file has it
        counts[moment][flow == "7"] = int(people)
    with database.transaction(acme) as tx:
        site = add_site(tx, "America/Los_Angeles")
        sensor = add_sensor(tx, site, "main-door", 30)
    line = Line(database, acme, {"main-door": known(sensor, "America/Los_Angeles", 30)})
    rows = [(f"{moment:%Y-%m-%d %H:%M}", *people) for moment, people in sorted(counts.items())]
    for push in pushes(rows):
        receipt = line.push_csv("main-door", push)
        assert receipt.accepted == len(push) - 2  # half past one, and one, were twice on the 30th of October
        assert {one.code for one in receipt.refused} == {"local-time-twice"}
    line.score()
    drifts = found(database, acme, "imbalance")["main-door"]
    drifting = {first + timedelta(days=n) for first, last in drifts for n in range((last - first).days + 1)}
    days = sorted({moment.date() for moment in counts})
    assert len(days) == 105
    assert set(days[20:]) & drifting  # once there are weeks to go by
    for kind in ("missing_day", "doubled_day", "gap", "clock_skew", "overlap"):
        assert found(database, acme, kind) == {}, kind
    assert found(database, acme, "clock_change") == {"main-door": [(date(2005, 10, 30), date(2005, 10, 30))]}
    assert len(drifting) > len(days) // 2
