"""What was counted and sold, from the rollups of days and quarters, and which sensors were in service.

One statement reads all that an answer is made of, so that its parts are of one moment. PostgreSQL writes it as JSON,
which is read here into typed rows.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import LiteralString
from uuid import UUID

import msgspec

from shared.metrics.model import Facts, Found, Service
from tenant_context.context import TenantContext
from tenant_context.postgres import Database

# `OFFSET 0` has each place's time read from the index, whatever the planner makes of how many there are: an
# answer costs what it tells of, and not what the place has. Whose sensor it is, is looked up in the parameters: a join
# with them compared every sensor with every store, as no plan knows beforehand how many they are.
_SERVICE: LiteralString = """
    'service', (SELECT coalesce(json_agg(json_build_array(key, time_zone, since, until, lines, longest)), '[]') FROM (
        SELECT (%(keys)s::uuid[])[array_position(%(members)s::uuid[], v.member)] AS key, s.time_zone,
               greatest(v.since, %(low)s) AS since, least(v.until, %(high)s) AS until,
               count(*) AS lines, max(v.interval_minutes) AS longest
        FROM (SELECT *, CASE WHEN %(by_zone)s THEN zone_id ELSE site_id END AS member
              FROM app.in_service(%(tenant)s, %(stores)s::uuid[], %(zones)s::uuid[])) v
        JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = v.site_id
        WHERE v.since < %(high)s AND coalesce(v.until, %(high)s) > %(low)s
        GROUP BY 1, 2, 3, 4) service)"""
_MEMBERS: LiteralString = """
    members AS (SELECT key, member FROM unnest(%(keys)s::uuid[], %(members)s::uuid[]) m (key, member))"""
# Stores that counted or sold in a time, and not both: of what is bought per visitor they tell nothing. The times are
# those of the answer, without what is read around them; none, where it is not asked.
_LONE_OF_DAYS: LiteralString = """
    told AS MATERIALIZED (
        SELECT r.side, r.first, r.last, m.key, m.member, told.counted, told.sold
        FROM unnest(%(exact_firsts)s::date[], %(exact_lasts)s::date[]) WITH ORDINALITY r (first, last, side)
        CROSS JOIN members m CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT FROM footfall_day f WHERE f.tenant_id = %(tenant)s AND f.place_id = m.member
                           AND f.day >= r.first AND f.day < r.last AND (f.intervals > 0 OR f.minutes > 0)) AS counted,
                   EXISTS (SELECT FROM sales_day f WHERE f.tenant_id = %(tenant)s AND f.place_id = m.member
                           AND f.day >= r.first AND f.day < r.last AND f.transactions + f.cancellations > 0
                           AND (%(currency)s::text IS NULL OR f.currency = %(currency)s)) AS sold) told
        WHERE told.counted OR told.sold
    ), unpaired AS (
        SELECT o.side, o.key, f.day AS moment, f.entries, 0 AS transactions, 0 AS revenue
        FROM told o JOIN footfall_day f ON f.tenant_id = %(tenant)s AND f.place_id = o.member
                                       AND f.day >= o.first AND f.day < o.last
        WHERE o.counted AND NOT o.sold
        UNION ALL
        SELECT o.side, o.key, f.day, 0, f.transactions, f.revenue
        FROM told o JOIN sales_day f ON f.tenant_id = %(tenant)s AND f.place_id = o.member
                                    AND f.day >= o.first AND f.day < o.last
        WHERE NOT o.counted AND (%(currency)s::text IS NULL OR f.currency = %(currency)s)
    )"""
_LONE_OF_MOMENTS: LiteralString = """
    told AS MATERIALIZED (
        SELECT r.side, r.first, r.last, m.key, m.member, told.counted, told.sold
        FROM unnest(%(exact_firsts)s::timestamptz[], %(exact_lasts)s::timestamptz[]) WITH ORDINALITY
             r (first, last, side)
        CROSS JOIN members m CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT FROM footfall_15m f WHERE f.tenant_id = %(tenant)s AND f.site_id = m.member
                           AND f.bucket >= r.first AND f.bucket < r.last
                           AND (f.intervals > 0 OR f.minutes > 0)) AS counted,
                   EXISTS (SELECT FROM sales_15m f WHERE f.tenant_id = %(tenant)s AND f.site_id = m.member
                           AND f.bucket >= r.first AND f.bucket < r.last AND f.transactions + f.cancellations > 0
                           AND (%(currency)s::text IS NULL OR f.currency = %(currency)s)) AS sold) told
        WHERE told.counted OR told.sold
    ), unpaired AS (
        SELECT o.side, o.key, date_bin(%(length)s, f.bucket, %(origin)s) AS moment, f.entries, 0 AS transactions,
               0 AS revenue
        FROM told o JOIN footfall_15m f ON f.tenant_id = %(tenant)s AND f.site_id = o.member
                                       AND f.bucket >= o.first AND f.bucket < o.last
        WHERE o.counted AND NOT o.sold
        UNION ALL
        SELECT o.side, o.key, date_bin(%(length)s, f.bucket, %(origin)s), 0, f.transactions, f.revenue
        FROM told o JOIN sales_15m f ON f.tenant_id = %(tenant)s AND f.site_id = o.member
                                    AND f.bucket >= o.first AND f.bucket < o.last
        WHERE NOT o.counted AND (%(currency)s::text IS NULL OR f.currency = %(currency)s)
    )"""
_UNPAIRED: LiteralString = """
    'unpaired', (SELECT coalesce(json_agg(json_build_array(side - 1, key, moment, entries, transactions, revenue)),
                                 '[]') FROM (
        SELECT side, key, moment, sum(entries) AS entries, sum(transactions) AS transactions, sum(revenue) AS revenue
        FROM unpaired GROUP BY 1, 2, 3) u),
    'both', (SELECT coalesce(json_agg(json_build_array(side - 1, member)), '[]') FROM told WHERE counted AND sold)"""
_DAYS: LiteralString = f"""
    WITH {_MEMBERS}, {_LONE_OF_DAYS}, spans AS (
        SELECT first, last FROM unnest(%(firsts)s::date[], %(lasts)s::date[]) r (first, last))
    SELECT json_build_object(
        'traffic', (SELECT coalesce(json_agg(json_build_array(place_id, day, entries, exits, minutes, counted)), '[]')
                    FROM (
            SELECT f.place_id, f.day, sum(f.entries) AS entries, sum(f.exits) AS exits, sum(f.minutes) AS minutes,
                   bool_or(f.intervals > 0 OR f.minutes > 0) AS counted
            FROM spans CROSS JOIN unnest(%(places)s::uuid[]) p (id) CROSS JOIN LATERAL (
                SELECT * FROM footfall_day q WHERE q.tenant_id = %(tenant)s AND q.place_id = p.id
                                                   AND q.day >= first AND q.day < last OFFSET 0) f
            GROUP BY 1, 2) traffic),
        'sales', (SELECT coalesce(json_agg(json_build_array(place_id, day, currency, transactions, units, revenue,
                                                            sold)), '[]') FROM (
            SELECT f.place_id, f.day, f.currency, sum(f.transactions) AS transactions, sum(f.units) AS units,
                   sum(f.revenue) AS revenue, sum(f.transactions + f.cancellations) > 0 AS sold
            FROM spans CROSS JOIN unnest(%(places)s::uuid[]) p (id) CROSS JOIN LATERAL (
                SELECT * FROM sales_day q WHERE q.tenant_id = %(tenant)s AND q.place_id = p.id
                                                AND q.day >= first AND q.day < last OFFSET 0) f
            GROUP BY 1, 2, 3) sales),
        {_UNPAIRED}, {_SERVICE})::text"""
_MOMENTS: LiteralString = f"""
    WITH {_MEMBERS}, {_LONE_OF_MOMENTS}, spans AS (
        SELECT first, last FROM unnest(%(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) r (first, last))
    SELECT json_build_object(
        'traffic', (SELECT coalesce(json_agg(json_build_array(key, moment, entries, exits, minutes, counted)), '[]')
                    FROM (
            SELECT m.key, date_bin(%(length)s, f.bucket, %(origin)s) AS moment, sum(f.entries) AS entries,
                   sum(f.exits) AS exits, sum(f.minutes) AS minutes,
                   bool_or(f.intervals > 0 OR f.minutes > 0) AS counted
            FROM spans CROSS JOIN members m CROSS JOIN LATERAL (
                SELECT * FROM footfall_15m q WHERE q.tenant_id = %(tenant)s AND q.site_id = m.member
                                                   AND q.bucket >= first AND q.bucket < last OFFSET 0) f
            GROUP BY 1, 2) traffic),
        'sales', (SELECT coalesce(json_agg(json_build_array(key, moment, currency, transactions, units, revenue,
                                                            sold)), '[]') FROM (
            SELECT m.key, date_bin(%(length)s, f.bucket, %(origin)s) AS moment, f.currency,
                   sum(f.transactions) AS transactions, sum(f.units) AS units, sum(f.revenue) AS revenue,
                   sum(f.transactions + f.cancellations) > 0 AS sold
            FROM spans CROSS JOIN members m CROSS JOIN LATERAL (
                SELECT * FROM sales_15m q WHERE q.tenant_id = %(tenant)s AND q.site_id = m.member
                                                AND q.bucket >= first AND q.bucket < last OFFSET 0) f
            GROUP BY 1, 2, 3) sales),
        {_UNPAIRED}, {_SERVICE})::text"""

_QUARTERS: LiteralString = """
    SELECT coalesce(json_agg(json_build_array(member, moments, entries, exits, minutes)), '[]')::text
    FROM (
        SELECT r.member, array_agg(extract(epoch FROM f.bucket)::bigint) AS moments, array_agg(f.entries) AS entries,
               array_agg(f.exits) AS exits, array_agg(f.minutes) AS minutes
        FROM unnest(%(members)s::uuid[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) r (member, first, last)
        CROSS JOIN LATERAL (
            SELECT * FROM footfall_15m q WHERE q.tenant_id = %(tenant)s AND q.site_id = r.member
                                               AND q.bucket >= r.first AND q.bucket < r.last OFFSET 0) f
        WHERE f.intervals > 0 OR f.minutes > 0
        GROUP BY 1) found"""


class _Rows(msgspec.Struct):
    traffic: list[tuple[UUID, str, int, int, int, bool]]
    sales: list[tuple[UUID, str, str, int, Decimal, Decimal, bool]]
    service: list[tuple[UUID, str, datetime, datetime, int, int]]
    unpaired: list[tuple[int, UUID, str, int, int, Decimal]]
    both: list[tuple[int, UUID]]


class Scope(msgspec.Struct, frozen=True):
    """Whose rollups: each key with its members, which are stores, or zones where `by_zone`; a member has one key."""

    members: Sequence[tuple[UUID, UUID]]
    by_zone: bool = False

    def values(self) -> dict[str, object]:
        """As parameters of a statement."""
        members = [member for _, member in self.members]
        return {
            "keys": [key for key, _ in self.members],
            "members": members,
            "stores": [] if self.by_zone else members,
            "zones": members if self.by_zone else [],
            "by_zone": self.by_zone,
        }


class FactRepository:
    """Rollups of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def days(
        self,
        tenant: TenantContext,
        places: Sequence[UUID],
        scope: Scope,
        spans: Sequence[tuple[date, date]],
        around: tuple[datetime, datetime],
        currency: str | None,
        paired: Sequence[tuple[date, date]] = (),
    ) -> Found:
        """Days of places, each place's own; sensors in service within a time around all of them.

        Of the `paired` days, what stores have that did not both count and sell in them, by the place of each in order.
        """
        values = {"places": list(places), "firsts": [one for one, _ in spans], "lasts": [one for _, one in spans]}
        told = {**values, **scope.values(), **_exact(paired), "currency": currency}
        return _found(self._read(tenant, _DAYS, told, around), date.fromisoformat, currency)

    def moments(
        self,
        tenant: TenantContext,
        scope: Scope,
        spans: Sequence[tuple[datetime, datetime]],
        length: object,
        currency: str | None,
        paired: Sequence[tuple[datetime, datetime]] = (),
    ) -> Found:
        """Steps of one length, each from a moment of the spans on; `paired` likewise."""
        values = {"firsts": [one for one, _ in spans], "lasts": [one for _, one in spans], "length": length}
        around = (min(one for one, _ in spans), max(one for _, one in spans))
        more = {**scope.values(), **_exact(paired), "currency": currency, "origin": around[0]}
        read = self._read(tenant, _MOMENTS, {**values, **more}, around)
        return _found(read, datetime.fromisoformat, currency)

    def quarters(
        self, tenant: TenantContext, runs: Sequence[tuple[UUID, datetime, datetime]]
    ) -> dict[UUID, dict[datetime, tuple[int, int, int]]]:
        """Entries, exits and minutes of the quarters of stores or zones in which something was counted."""
        members, firsts, lasts = ([run[place] for run in runs] for place in range(3))
        values = {"tenant": tenant.tenant, "members": members, "firsts": firsts, "lasts": lasts}
        rows = self._database.read(tenant, _QUARTERS, values)
        read = msgspec.json.decode(rows[0][0], type=list[tuple[UUID, list[int], list[int], list[int], list[int]]])
        return {
            member: dict(
                zip((datetime.fromtimestamp(one, UTC) for one in moments), zip(*counted, strict=True), strict=True)
            )
            for member, moments, *counted in read
        }

    def _read(
        self,
        tenant: TenantContext,
        query: LiteralString,
        values: Mapping[str, object],
        around: tuple[datetime, datetime],
    ) -> _Rows:
        known = {"tenant": tenant.tenant, "low": around[0], "high": around[1]}
        rows = self._database.read(tenant, query, {**values, **known})
        return msgspec.json.decode(rows[0][0], type=_Rows)


def _exact(paired: Sequence[tuple[date, date]]) -> dict[str, object]:
    return {"exact_firsts": [one for one, _ in paired], "exact_lasts": [one for _, one in paired]}


def _found(rows: _Rows, read: object, currency: str | None) -> Found:
    facts: dict[UUID, dict[date | datetime, Facts]] = {}
    for key, when, entries, exits, minutes, counted in rows.traffic:
        one = facts.setdefault(key, {}).setdefault(read(when), Facts())  # type: ignore[operator]
        one.entries, one.exits, one.minutes, one.counted = entries, exits, minutes, counted
    for key, when, of, transactions, units, revenue, sold in rows.sales:
        if currency in {None, of}:
            one = facts.setdefault(key, {}).setdefault(read(when), Facts())  # type: ignore[operator]
            one.add(Facts(transactions=transactions, units=units, revenue=revenue, sold=sold))
    services: dict[UUID, list[Service]] = {}
    for key, zone, since, until, lines, _ in rows.service:
        services.setdefault(key, []).append(Service(zone, since, until, lines))
    unpaired: dict[tuple[int, UUID], dict[date | datetime, Facts]] = {}
    for side, key, when, entries, transactions, revenue in rows.unpaired:
        lone = Facts(lone_entries=entries, lone_transactions=transactions, lone_revenue=revenue)
        unpaired.setdefault((side, key), {})[read(when)] = lone  # type: ignore[operator]
    currencies = sorted({row[2] for row in rows.sales if row[-1]})
    return Found(
        facts, services, currencies, max((row[-1] for row in rows.service), default=0), unpaired, set(rows.both)
    )
