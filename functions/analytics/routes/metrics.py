"""What happened in the stores."""

from typing import Any
from uuid import UUID

from functions.analytics.routes.declared import SITE, Analytics, routes
from functions.analytics.schemas import metrics as wire
from shared.metrics.model import EVERYBODY, Head
from shared.metrics.rules import answers
from shared.metrics.rules import ranking as rules_ranking
from shared.metrics.rules.tables import as_csv, as_parquet
from shared.metrics.service.metrics import Kept, freshness
from tenant_context.routing import Answer, Call

_KEPT, _FILE = ("X-Cache",), ("Content-Disposition", "X-Freshness", "X-Sales-Freshness")
_TYPES = {wire.Format.CSV: "text/csv; charset=utf-8", wire.Format.PARQUET: "application/vnd.apache.parquet"}


def _answer(kept: Kept) -> Answer:
    return Answer(kept.content, headers={"x-cache": kept.level})


@routes.read(
    SITE + "/metrics", permission="analytics.read", query=wire.MetricsQuery, answer=wire.MetricsOut, tells=_KEPT
)
def metrics(call: Call[None], analytics: Analytics) -> Answer:
    """Metrics of a store, zone, district or region over a range, in its own days; missing is null, not zero."""
    query: wire.MetricsQuery = call.query
    return _answer(analytics.metrics.series(call.tenant, query.ask(call.id("site_id"))))


@routes.read(
    "/api/v1/metrics", permission="analytics.read", query=wire.MetricsQuery, answer=wire.MetricsOut, tells=_KEPT
)
def organization_metrics(call: Call[None], analytics: Analytics) -> Answer:
    """Metrics of the whole organization over a range, likewise."""
    query: wire.MetricsQuery = call.query
    return _answer(analytics.metrics.series(call.tenant, query.ask()))


@routes.read(
    "/api/v1/metrics/ranking", permission="analytics.read", query=wire.RankingQuery, answer=wire.RankingOut, tells=_KEPT
)
def ranking(call: Call[None], analytics: Analytics) -> Answer:
    """Rank stores by a metric over whole days, each with how it changed against as many days before."""
    query: wire.RankingQuery = call.query
    return _answer(analytics.metrics.ranking(call.tenant, query.ask(), query.after(), query.limit))


@routes.read(
    "/api/v1/metrics/ranking/export",
    permission="analytics.read",
    query=wire.RankingExportQuery,
    types=tuple(_TYPES.values()),
    tells=_FILE,
)
def export_ranking(call: Call[None], analytics: Analytics) -> Answer:
    """Stores in the order of a metric as a table, in CSV or Parquet: a row for each.

    How fresh it is stands in its headers.
    """
    query: wire.RankingExportQuery = call.query
    told, head = analytics.metrics.ranked(call.tenant, query.ask(), query.after(), query.limit)
    return _file("ranking", query.format, rules_ranking.rows(told), head)


def _export(call: Call[None], analytics: Analytics, place: UUID) -> Answer:
    query: wire.ExportQuery = call.query
    told = analytics.metrics.told(call.tenant, query.ask(place))
    return _file("metrics", query.format, answers.rows(told), told.head)


def _file(name: str, form: wire.Format, table: tuple[list[str], list[list[Any]]], head: Head) -> Answer:
    made = (as_csv if form is wire.Format.CSV else as_parquet)(*table)
    named = {"content-disposition": f'attachment; filename="{name}.{form}"'}
    fresh = {"x-" + one.replace("_", "-"): at for one, at in freshness(head).items() if at is not None}
    return Answer(made, headers={**named, **fresh}, content_type=_TYPES[form])


@routes.read(
    SITE + "/metrics/export",
    permission="analytics.read",
    query=wire.ExportQuery,
    types=tuple(_TYPES.values()),
    tells=_FILE,
)
def export_metrics(call: Call[None], analytics: Analytics) -> Answer:
    """Metrics of a place as a table, in CSV or Parquet: a row for each step (of each group).

    How fresh it is stands in its headers.
    """
    return _export(call, analytics, call.id("site_id"))


@routes.read(
    "/api/v1/metrics/export",
    permission="analytics.read",
    query=wire.ExportQuery,
    types=tuple(_TYPES.values()),
    tells=_FILE,
)
def export_organization_metrics(call: Call[None], analytics: Analytics) -> Answer:
    """Metrics of the whole organization as a table, likewise."""
    return _export(call, analytics, EVERYBODY)
