"""Real files through the deployed API: every row accounted for, and every day what polars makes of the file.

Eight street cameras of Leeds count by the hour, 2009 to 2016, with defects: July 2016 begins with three days that are
there twice, and clocks change. Its last year goes through; all of it where RMAP_DATA_WHOLE is set.
"""

import os
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from local.demo.reading import settled
from local.demo.real_story import DOOR, SHOP, USER, RealStory
from local.demo.tenants import DemoUser, SignedIn, device, find, log_in, sign_up
from local.progress import Silent
from local.stack import Stack
from tests.real import DATA, MISSING

CALIT2, RETAIL = DATA / "calit2" / "CalIt2.data", DATA / "online_retail" / "online_retail.csv.gz"
LEEDS = DATA / "leeds" / "footfall.csv.gz"
FIRST = date(2009, 1, 1) if os.environ.get("RMAP_DATA_WHOLE") else date(2016, 1, 1)
ROWS_A_PUSH = 9_000
pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not all(path.exists() for path in (CALIT2, RETAIL, LEEDS)),
        reason=MISSING + "calit2, online_retail and leeds",
    ),
]
Days = Mapping[date, Any]


def days_of(tenant: SignedIn, site: Mapping[str, Any], metric: str, first: date, last: date) -> Days:
    """A metric of the days that have a value, by the site's own dates; `last` is not among them."""
    zone = ZoneInfo(site["time_zone"])
    span = f"granularity=day&from={first}T00:00:00Z&to={last}T00:00:00Z"
    shown = tenant.api.get(f"/api/v1/sites/{site['id']}/metrics?metric={metric}&{span}")
    starts = (
        (datetime.fromisoformat(point["start"]).astimezone(zone).date(), point["value"]) for point in shown["points"]
    )
    return {day: Decimal(str(value)) for day, value in starts if value is not None}


def found(tenant: SignedIn, code: str) -> Mapping[str, Any]:
    """A site by its code."""
    site = find(tenant, "sites", "code", code)
    assert site is not None
    return site


def by_day(frame: pl.DataFrame, value: str) -> Days:
    """A column of whole numbers or decimals, summed by the column `day`."""
    summed = frame.group_by("day").agg(pl.col(value).sum())
    return {day: Decimal(total).normalize() + 0 for day, total in summed.iter_rows()}


@pytest.fixture(scope="module")
def told(stack: Stack) -> str:
    """What the main job says of its real files."""
    return "\n".join(RealStory(stack.api_url, stack.webhook_receiver_url, DATA, Silent()).tell())


@pytest.fixture(scope="module")
def reader(stack: Stack, told: str) -> SignedIn:
    """Who pushed them."""
    assert told
    return log_in(stack.api_url, USER)


def test_the_main_job_on_real_files_accounts_for_every_row(told: str) -> None:
    assert "10080 rows = 10080 accounted for" in told
    assert "541909 lines = 541909 accounted for" in told
    assert "their signatures verify" in told


@pytest.mark.parametrize(("flow", "metric"), [(9, "footfall"), (7, "exits")])
def test_the_buildings_days_are_those_of_its_file(reader: SignedIn, flow: int, metric: str) -> None:
    """A row's time is the end of its half hour by Irvine's clocks."""
    names = ["flow", "date", "time", "count"]
    end = (pl.col("date") + " " + pl.col("time")).str.to_datetime("%m/%d/%y %H:%M:%S")
    start = end.dt.replace_time_zone("America/Los_Angeles", ambiguous="earliest") - pl.duration(minutes=30)
    file = pl.read_csv(CALIT2, has_header=False, new_columns=names).with_columns(day=start.dt.date())
    site = found(reader, DOOR)
    expected = by_day(file.filter(pl.col("flow") == flow), "count")
    assert len(expected) == 106
    assert days_of(reader, site, metric, date(2005, 7, 1), date(2005, 12, 1)) == expected


def receipts() -> pl.DataFrame:
    """The shop's receipts: their day, amount and pieces, without doubled lines and those of negative prices."""
    lines = pl.read_csv(RETAIL, infer_schema=False).select(
        "InvoiceNo",
        "InvoiceDate",
        "StockCode",
        quantity=pl.col("Quantity").cast(pl.Decimal(18, 3)),
        price=pl.col("UnitPrice").cast(pl.Decimal(18, 4)),
    )
    kept = lines.unique(maintain_order=True).filter(pl.col("price") >= 0)
    day = pl.col("InvoiceDate").first().str.slice(0, 10).str.to_date()
    amount = (pl.col("quantity") * pl.col("price")).sum()
    return kept.group_by("InvoiceNo", maintain_order=True).agg(day=day, amount=amount, units=pl.col("quantity").sum())


def test_the_shops_days_are_those_of_its_file(reader: SignedIn) -> None:
    file = receipts()
    site = found(reader, SHOP)
    sold = file.with_columns(one=(pl.col("amount") >= 0).cast(pl.Int64))
    for metric, column in (("revenue", "amount"), ("units", "units"), ("transactions", "one")):
        days = days_of(reader, site, metric, date(2010, 12, 1), date(2012, 1, 1))
        assert days == by_day(sold, column), metric
        assert len(days) == 305


def streets() -> pl.DataFrame:
    """The cameras' rows, each with its moment, which is null where the clocks of Leeds never showed it, or twice."""
    forms = ("%d/%m/%Y", "%Y-%m-%d", "%d-%b-%y")
    day = pl.coalesce(*(pl.col("Date").str.to_date(form, strict=False) for form in forms))
    wall = pl.col("day").cast(pl.Datetime("us")) + pl.duration(hours="Hour")
    file = pl.read_csv(LEEDS, columns=["Date", "InCount", "LocationName", "Hour"])
    rows = file.select(day=day, Hour="Hour", count="InCount", camera="LocationName").filter(pl.col("day") >= FIRST)
    return rows.with_columns(at=wall.dt.replace_time_zone("Europe/London", ambiguous="null", non_existent="null")).sort(
        "camera", "day", "Hour", maintain_order=True
    )


@pytest.fixture(scope="module")
def leeds(stack: Stack) -> SignedIn:
    """An organization whose day takes any number of rows."""
    mark = f"leeds-{uuid4().hex[:10]}"
    user = DemoUser("Leeds", mark, "Lea of Leeds", f"lea@{mark}.example", f"password-of-{mark}", "enterprise")
    sign_up(stack.api_url, user)
    return log_in(stack.api_url, user)


def test_the_streets_days_are_those_of_their_file(leeds: SignedIn) -> None:
    rows = streets()
    told: Counter[str] = Counter()
    setup = {"csv": {"date": "Date", "start": "Hour", "entries": "InCount", "time_format": "%Y-%m-%d %H"}}
    for (camera,), its in rows.partition_by("camera", as_dict=True).items():
        site = leeds.api.post("/api/v1/sites", {"name": camera, "time_zone": "Europe/London"})
        serial = f"{camera}-{leeds.user.slug}"
        body = {"site_id": site["id"], "name": camera, "serial": serial, "interval_minutes": 60}
        sensor = leeds.api.post("/api/v1/sensors", body)
        leeds.api.put(f"/api/v1/sensors/{sensor['id']}/setup", setup, version=sensor["version"])
        with device(leeds, camera) as pusher:
            for push in its.iter_slices(ROWS_A_PUSH):
                text = push.select(Date="day", Hour="Hour", InCount="count").write_csv().encode()
                address = f"/api/v1/ingest/counts?sensor={serial}"
                answer = pusher.call("POST", address, text, {"content-type": "text/csv"})
                told.update(duplicates=answer["duplicates"], rejected=answer["rejected_count"])
                done = settled(leeds, answer["batch"])
                told.update({name: done[name] for name in ("stored", "unchanged", "revised")})
        good = its.unique().filter(pl.col("at").is_not_null())
        assert days_of(leeds, site, "footfall", FIRST, date(2017, 1, 1)) == by_day(good, "count"), camera
    assert told.total() == len(rows)
    assert told["rejected"] == rows["at"].null_count() > 0
    assert told["duplicates"] + told["unchanged"] == len(rows) - len(rows.unique()) == 576
    assert told["revised"] == 0
