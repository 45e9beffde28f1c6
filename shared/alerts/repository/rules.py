"""Rules in PostgreSQL."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

import msgspec
from psycopg import errors
from psycopg.types.json import Jsonb

from shared.alerts.errors import RuleNotFound, WrongRule
from shared.alerts.model import Condition, Rule
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Row, Transaction

_COLUMNS: LiteralString = "id, name, site_id, each_store, condition, severity, enabled, version, created_at, updated_at"
_SHOW: LiteralString = f"SELECT {_COLUMNS} FROM alert_rules WHERE tenant_id = %s AND id = %s"
_LOCK: LiteralString = f"{_SHOW} FOR NO KEY UPDATE"
_PAGE: LiteralString = f"""
    SELECT {_COLUMNS} FROM alert_rules
    WHERE tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR id < %(after)s)
      AND (%(site)s::uuid IS NULL OR site_id = %(site)s)
    ORDER BY id DESC LIMIT %(limit)s"""
# Whoever judges by a rule holds it, so that two who do see one another's alerts.
_JUDGED: LiteralString = f"""
    SELECT {_COLUMNS} FROM alert_rules WHERE tenant_id = %s AND enabled AND id = ANY (%s)
    ORDER BY id FOR NO KEY UPDATE"""
# Whoever adds one waits for who adds others: so the count before is exact.
_HOLD: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('alert_rules:' || %s::text, 0))"
_COUNT: LiteralString = "SELECT count(*) FROM alert_rules WHERE tenant_id = %s"
_INSERT: LiteralString = f"""
    INSERT INTO alert_rules (tenant_id, {_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING 1"""
_UPDATE: LiteralString = """
    UPDATE alert_rules SET name = %s, site_id = %s, each_store = %s, condition = %s, severity = %s, enabled = %s,
           version = %s, updated_at = %s
    WHERE tenant_id = %s AND id = %s RETURNING 1"""
_DELETE: LiteralString = "DELETE FROM alert_rules WHERE tenant_id = %s AND id = %s"
# Which places a rule is of: its own, or the stores in it. `touched`: those alone that something came for, or for
# something in which it came; null for all.
_PLACES: LiteralString = """
    WITH RECURSIVE touched AS (
        SELECT t.place FROM unnest(%(touched)s::uuid[]) AS t (place)
        UNION
        SELECT t.parent_id FROM touched b JOIN site_tree t ON t.tenant_id = %(tenant)s AND t.site_id = b.place
    ), below AS (
        SELECT r.id AS rule_id, s.id AS place, s.kind, r.each_store
        FROM alert_rules r JOIN sites s ON s.tenant_id = r.tenant_id AND s.id = r.site_id
        WHERE r.tenant_id = %(tenant)s AND r.enabled
          AND (%(touched)s::uuid[] IS NULL OR s.id IN (SELECT place FROM touched))
        UNION ALL
        SELECT b.rule_id, t.site_id, t.kind, true FROM below b
        JOIN site_tree t ON t.tenant_id = %(tenant)s AND t.parent_id = b.place
        WHERE b.each_store AND b.kind IN ('region', 'district')
    )
    SELECT rule_id, place FROM below
    WHERE (NOT each_store OR kind IN ('site', 'zone'))
      AND (%(touched)s::uuid[] IS NULL OR place IN (SELECT place FROM touched))
      AND (%(rule)s::uuid IS NULL OR (rule_id, place) > (%(rule)s, %(place)s))
    ORDER BY rule_id, place LIMIT %(limit)s"""
_TURN: LiteralString = "SELECT rule_id, place_id FROM alert_turns WHERE tenant_id = %s FOR UPDATE"
_NEXT_TURN: LiteralString = """
    INSERT INTO alert_turns (tenant_id, rule_id, place_id) VALUES (%s, %s, %s)
    ON CONFLICT (tenant_id) DO UPDATE SET rule_id = excluded.rule_id, place_id = excluded.place_id"""
_FIRST_TURN: LiteralString = "DELETE FROM alert_turns WHERE tenant_id = %s"

Pair = tuple[UUID, UUID]
"""A rule and one of its places."""


class RuleRepository:
    """Rules of one tenant at a time."""

    def show(self, database: Database, tenant: TenantContext, rule: UUID) -> Rule:
        """A rule. Errors: RuleNotFound."""
        rows = database.read(tenant, _SHOW, (tenant.tenant, rule))
        if not rows:
            raise RuleNotFound
        return _rule(rows[0])

    def page(
        self, database: Database, tenant: TenantContext, *, site: UUID | None, after: UUID | None, limit: int
    ) -> list[Rule]:
        """Rules, newest first."""
        values = {"tenant": tenant.tenant, "site": site, "after": after, "limit": limit}
        return [_rule(row) for row in database.read(tenant, _PAGE, values)]

    def lock(self, tx: Transaction, rule: UUID) -> Rule:
        """A rule, held until the transaction ends. Errors: RuleNotFound."""
        row = tx.one(_LOCK, (tx.tenant.tenant, rule))
        if row is None:
            raise RuleNotFound
        return _rule(row)

    def held(self, tx: Transaction, rules: Sequence[UUID]) -> dict[UUID, Rule]:
        """Rules that are enabled, held until the transaction ends."""
        return {row[0]: _rule(row) for row in tx.all(_JUDGED, (tx.tenant.tenant, list(rules)))}

    def places(
        self, tx: Transaction, touched: Sequence[UUID] | None, limit: int, after: Pair | None = None
    ) -> list[Pair]:
        """Each rule with each of its places, or those that something came for, in order; those after one of them."""
        values = {
            "tenant": tx.tenant.tenant,
            "touched": None if touched is None else list(touched),
            "limit": limit,
            "rule": after[0] if after else None,
            "place": after[1] if after else None,
        }
        return [(row[0], row[1]) for row in tx.all(_PLACES, values)]

    def turn(self, tx: Transaction) -> Pair | None:
        """The rule and place that the last run came to, held; None where the next begins at the beginning."""
        row = tx.one(_TURN, (tx.tenant.tenant,))
        return (row[0], row[1]) if row else None

    def keep_turn(self, tx: Transaction, last: Pair | None) -> None:
        """Queue what the next run goes on after."""
        if last is None:
            tx.run(_FIRST_TURN, (tx.tenant.tenant,))
        else:
            tx.run(_NEXT_TURN, (tx.tenant.tenant, *last))

    def count(self, tx: Transaction) -> int:
        """How many there are; nobody else adds any until the transaction ends."""
        tx.run(_HOLD, (tx.tenant.tenant,))
        row = tx.one(_COUNT, (tx.tenant.tenant,))
        return int(row[0]) if row else 0

    def insert(self, tx: Transaction, rule: Rule) -> None:
        """A new rule. Errors: WrongRule, of a place that is not there."""
        said = (*_said(rule), rule.version, rule.created_at, rule.updated_at)
        self._write(tx, _INSERT, (tx.tenant.tenant, rule.id, *said))

    def update(self, tx: Transaction, rule: Rule) -> None:
        """New particulars, likewise."""
        self._write(tx, _UPDATE, (*_said(rule), rule.version, rule.updated_at, tx.tenant.tenant, rule.id))

    def delete(self, tx: Transaction, rule: UUID) -> None:
        """Queue the end of a rule and its alerts."""
        tx.run(_DELETE, (tx.tenant.tenant, rule))

    @staticmethod
    def _write(tx: Transaction, statement: LiteralString, values: tuple[object, ...]) -> None:
        try:
            tx.one(statement, values)
        except errors.ForeignKeyViolation as error:
            raise WrongRule("/site_id", "unknown-site", "names no site of this organization") from error


def _said(rule: Rule) -> tuple[object, ...]:
    condition = Jsonb(msgspec.to_builtins(rule.condition))
    return rule.name, rule.site_id, rule.each_store, condition, rule.severity, rule.enabled


def _rule(row: Row) -> Rule:
    identity, name, site, each, condition, *others = row
    return Rule(identity, name, site, each, msgspec.convert(condition, Condition), *others)
