"""Files that are wrong, and addresses used for what they were not meant for: said in words, and nothing is lost."""

import gzip
from typing import Any

import pytest

from shared.uploads import model
from shared.uploads.errors import UploadIncomplete
from shared.uploads.gateway import key_of
from tenant_context.clock import uuid7
from tests.integration.bulk import HEAD, SALES, House, csv, put, stored


@pytest.mark.parametrize(
    ("raw", "about", "said"),
    [
        (b"\n", {}, "holds no rows"),
        (HEAD.encode(), {}, "holds no rows"),
        (b"a,b\n1,2\n", {}, "header lacks: end, entries"),
        (b"[]", {"form": "json"}, "holds no rows"),
        (csv(3), {"form": "json"}, "not JSON with a list"),
        (b"{}", {"form": "json"}, "not JSON with a list"),
        (b"PK\x03\x04" + b"\0" * 99, {}, "zip archive"),
        (gzip.compress(csv(9_000))[:-20], {}, "cut off"),
        (gzip.compress(b"\n" * 10**8), {}, "200 times"),
        (gzip.compress(gzip.compress(csv(3))), {}, "UTF-8"),
        (csv(3) + b'"door', {}, "cannot be read"),
        (csv(3) + b"\xff\xfe,1,2,3,4\n", {}, "UTF-8"),
        ((HEAD + "\n" + HEAD + "\n").encode() + csv(3), {}, "two header lines"),
        (b"[" * 10**6, {"form": "json"}, "ends too early"),
        (b"," * 10**6, {}, "longer than"),
        (SALES.encode(), {"kind": "transactions"}, "holds no rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(house: House, raw: bytes, about: dict[str, Any], said: str) -> None:
    shown = house.read(raw, **about)
    assert shown["status"] == "failed"
    assert said in shown["reason"]
    assert house.jobs.messages == []


def test_what_came_before_the_fault_is_taken(house: House) -> None:
    shown = house.read(gzip.compress(csv(9_000))[:-20])
    assert (shown["status"], shown["accepted"] >= 8_000, shown["rejected"]) == ("failed", True, 0)
    house.process()
    assert stored(house)[0] == shown["accepted"]


def test_a_file_that_was_replaced_is_not_read_on(house: House) -> None:
    upload = house.put(csv(10))
    house.s3.put_object(
        Bucket=house.bucket, Key=key_of(house.tenant.tenant, upload), Body=csv(10).replace(b",2,", b",3,")
    )
    house.work()
    assert "replaced" in house.shown(upload)["reason"]
    gone = house.put(csv(10))
    house.s3.delete_object(Bucket=house.bucket, Key=key_of(house.tenant.tenant, gone))
    house.work()
    assert "not there any more" in house.shown(gone)["reason"]


def test_links_take_what_was_announced_and_nothing_else(house: House) -> None:
    raw = csv(2)
    upload, links = house.announce(len(raw))
    (part,) = links["parts"]
    assert (links["method"], links["headers"]) == ("PUT", {"content-type": "text/csv"})
    assert put(part["url"], raw + b"more", links["headers"]) == 403
    assert put(part["url"], raw, {"content-type": "text/html"}) == 403
    assert put(part["url"].replace(str(upload), str(uuid7())), raw, links["headers"]) == 403
    with pytest.raises(UploadIncomplete, match="not put yet"), house.database.transaction(house.tenant) as tx:
        house.requests.complete(tx, upload)
    # Whoever signed something else by mistake, or holds another key of the bucket, is found out by the length.
    house.s3.put_object(Bucket=house.bucket, Key=key_of(house.tenant.tenant, upload), Body=raw + b"more")
    with pytest.raises(UploadIncomplete, match="was announced with"), house.database.transaction(house.tenant) as tx:
        house.requests.complete(tx, upload)
    assert put(part["url"], raw, links["headers"]) == 200
    with house.database.transaction(house.tenant) as tx:
        house.requests.complete(tx, upload)
    with house.database.transaction(house.tenant) as tx:
        house.requests.complete(tx, upload)  # asked again, a worker is told again
    assert len(house.jobs.messages) == 2
    house.work()
    house.work()
    assert (house.shown(upload)["status"], len(house.counts.messages)) == ("done", 1)


def test_a_large_file_comes_in_parts_in_any_order(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "PART_BYTES", 100_000)
    raw = csv(3_000)
    upload, links = house.announce(len(raw))
    assert len(links["parts"]) == 2
    second, first = reversed(links["parts"])
    assert put(second["url"], raw[first["bytes"] :], {}) == 200
    with (
        pytest.raises(UploadIncomplete, match="not there as announced: 1"),
        house.database.transaction(house.tenant) as tx,
    ):
        house.requests.complete(tx, upload)
    with house.database.transaction(house.tenant) as tx:
        anew = house.requests.links(tx, upload)
    assert put(anew["parts"][0]["url"], raw[: first["bytes"]], {}) == 200
    for _ in range(2):
        with house.database.transaction(house.tenant) as tx:
            house.requests.complete(tx, upload)
    house.work()
    assert (house.shown(upload)["status"], house.shown(upload)["accepted"]) == ("done", 3_000)
