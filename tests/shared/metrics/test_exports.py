"""Metrics as tables: CSV that nothing takes for a formula, and Parquet that reads back as what was asked."""

import csv
import io
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from arro3.io import read_parquet

from functions.analytics.routes.metrics import export_metrics
from functions.analytics.schemas.metrics import ExportQuery
from shared.metrics.model import Compare, GroupBy
from shared.metrics.rules.answers import rows
from shared.metrics.rules.tables import as_csv, as_parquet
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.asking import metrics_of, question
from tests.integration.chain import EVERYBODY, Chain


@pytest.fixture
def chain(database: Database, two_tenants: tuple[TenantContext, TenantContext]) -> Chain:
    made = Chain(database, two_tenants[0]).build()
    made.push([(0, 1, 40, 15, 12, 3), (2, 1, 40, 15, 7, 1)], at=0)
    made.sell([("alpha", 1, 40, "EUR", -5, False), ("alpha", 2, 40, "EUR", 20, False)], at=0)
    return made


def table(chain: Chain, **how: object) -> tuple[list[str], list[list[object]]]:
    about = question(EVERYBODY, "2026-03-28", "2026-03-30", "day", "footfall", "revenue", **how)
    return rows(metrics_of(chain.database).told(chain.tenant, about))


def test_a_csv_has_a_row_for_each_step_and_a_column_for_each_metric(chain: Chain) -> None:
    found = list(csv.DictReader(io.StringIO(as_csv(*table(chain)).decode(), newline="")))
    assert [(row["start"], row["name"], row["footfall"], row["revenue"], row["currency"]) for row in found] == [
        ("2026-03-28T00:00:00Z", "Acme", "19", "15.0000", "EUR"),
        ("2026-03-29T00:00:00Z", "Acme", "", "", "EUR"),
    ]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_tells_how_fresh_it_is_in_its_headers(chain: Chain, form: str) -> None:
    analytics: Any = SimpleNamespace(metrics=metrics_of(chain.database))
    said = {"from": "2026-03-28T00:00:00Z", "to": "2026-03-30T00:00:00Z", "format": form}

    def headers(name: str) -> dict[str, str]:
        query = ExportQuery.model_validate(said)
        call: Any = SimpleNamespace(query=query, tenant=chain.tenant, id=lambda _: chain.places[name])
        told = export_metrics(call, analytics).headers
        return {header: value for header, value in told.items() if header.startswith("x-")}

    assert headers("alpha") == {"x-freshness": "2026-03-28T10:15:00Z", "x-sales-freshness": "2026-03-28T10:15:00Z"}
    assert headers("beta") == {"x-freshness": "2026-03-28T10:15:00Z"}
    assert headers("gamma") == {}


def test_a_name_that_is_a_formula_is_harmless(chain: Chain) -> None:
    with chain.database.transaction(chain.tenant) as tx:
        tx.run("""UPDATE sites SET name = '=HYPERLINK("http://example.com","a")' WHERE name = 'region'""")
    found = list(csv.DictReader(io.StringIO(as_csv(*table(chain, group_by=GroupBy.CHILD)).decode(), newline="")))
    assert {row["name"] for row in found} == {'\'=HYPERLINK("http://example.com","a")'}


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_begins_a_formula(begins: str) -> None:
    told = list(csv.reader(io.StringIO(as_csv(["name"], [[f"{begins}1"]]).decode(), newline="")))
    assert told[1] == [f"'{begins}1"]


def test_parquet_reads_back_as_what_was_asked(chain: Chain) -> None:
    names, told = table(chain, compare=Compare.PERIOD)
    found = read_parquet(io.BytesIO(as_parquet(names, told))).read_all()
    assert found.column_names == names
    read = found.to_struct_array().to_pylist()
    assert [(row["start"], row["footfall"], row["revenue"], row["previous_footfall"]) for row in read] == [
        (datetime(2026, 3, 28, tzinfo=UTC), 19.0, 15.0, None),
        (datetime(2026, 3, 29, tzinfo=UTC), None, None, None),
    ]


def test_nothing_at_all_is_a_table_too(chain: Chain) -> None:
    about = question(chain.places["foyer"], "2026-03-28", "2026-03-29", "day", group_by=GroupBy.CHILD)
    names, told = rows(metrics_of(chain.database).told(chain.tenant, about))
    assert told == []
    assert as_csv(names, told).decode().strip() == ",".join(names)
    assert read_parquet(io.BytesIO(as_parquet(names, told))).read_all().num_rows == 0


def test_weekdays_are_rows(chain: Chain) -> None:
    names, told = table(chain, group_by=GroupBy.WEEKDAY)
    assert names[0] == "group"
    assert [(row[0], row[1]) for row in told if row[1] is not None] == [("6", 19)]
    assert read_parquet(io.BytesIO(as_parquet(names, told))).read_all().num_rows == 7
