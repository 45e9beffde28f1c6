"""A file of counts through the deployed API: announced, put by signed addresses, read by the worker, counted."""

import gzip
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from local.demo.api import ApiError, wait_for
from local.demo.tenants import SignedIn

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
ROWS = 2_000


def test_a_packed_file_is_counted_and_followed(acme: SignedIn) -> None:
    api = acme.api
    site = api.post("/api/v1/sites", {"name": "Bulk"})["id"]
    serial = f"bulk-{uuid4().hex[:8]}"
    api.post("/api/v1/sensors", {"site_id": site, "name": "Door", "serial": serial})
    lines = ["sensor,start,end,entries,exits"]
    for step in range(ROWS):
        start = MONDAY + timedelta(minutes=15 * step)
        lines.append(f"{serial},{start.isoformat()},{(start + timedelta(minutes=15)).isoformat()},3,1")
    raw = gzip.compress("\n".join([*lines, "nobody" + lines[-1][len(serial) :]]).encode())
    begun = api.post("/api/v1/ingest/uploads", {"kind": "counts", "format": "csv", "bytes": len(raw)})
    (part,) = begun["links"]["parts"]
    request = urllib.request.Request(part["url"], raw, begun["links"]["headers"], method="PUT")  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310  a signed address of the bucket
        assert answer.status == 200
    address = f"/api/v1/ingest/uploads/{begun['id']}"
    api.post(f"{address}/complete")

    def processed() -> Any:
        shown = api.get(address)
        return (
            shown if shown["status"] == "done" and shown["processed"]["parts"] == shown["progress"]["parts"] else None
        )

    shown = wait_for("the upload", processed)
    assert (shown["accepted"], shown["rejected"], shown["processed"]["stored"]) == (ROWS, 1, ROWS)
    assert shown["progress"]["bytes"] == len(raw)
    (refused,) = api.get(f"{address}/rejected")["items"]
    assert (refused["row"], refused["code"]) == (ROWS, "unknown-sensor")
    days = "from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z"
    metrics = api.get(f"/api/v1/sites/{site}/metrics?metric=footfall&granularity=day&{days}")
    assert metrics["total"] == 96 * 3
    assert begun["id"] in [one["id"] for one in api.get("/api/v1/ingest/uploads")["items"]]
    with pytest.raises(ApiError, match="409"):
        api.post(f"{address}/links")


@pytest.mark.parametrize(
    "wrong",
    [
        {"bytes": 0}, {"bytes": 1_000_000_001}, {"bytes": -1}, {"bytes": 1.5}, {"format": "xml"}, {"kind": "x"},
        {"name": "a\u202eb"}, {"sensor": "s", "format": "json"}, {"sensor": "s", "kind": "transactions"}, {"extra": 1},
    ],
)  # fmt: skip
def test_what_cannot_be_uploaded_is_said(acme: SignedIn, wrong: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="422"):
        acme.api.post("/api/v1/ingest/uploads", {"kind": "counts", "format": "csv", "bytes": 10, **wrong})


def test_a_cancelled_upload_is_over(acme: SignedIn) -> None:
    begun = acme.api.post("/api/v1/ingest/uploads", {"kind": "counts", "format": "csv", "bytes": 10})
    address = f"/api/v1/ingest/uploads/{begun['id']}"
    with pytest.raises(ApiError, match="409"):
        acme.api.post(f"{address}/complete")
    acme.api.call("DELETE", address)
    assert acme.api.get(address)["status"] == "cancelled"
    with pytest.raises(ApiError, match="409"):
        acme.api.post(f"{address}/complete")
