"""A tenant's archive made, and the tenant erased: rows a second, and memory, which is not to grow with the rows.

python -m bench export            200,000 people counts beside 20,000
RMAP_BENCH_ROWS=10000000 …        as many as one likes
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Row
from functions.migrations.runner import migrate
from infra.settings import ROOT
from local import stack as local_stack
from local.stack import Stack
from tenant_context.clock import uuid7

_LIMIT_MB = 256
_COLUMNS = (
    Column("rows", "rows"),
    Column("seconds", "seconds", 1),
    Column("rows_s", "rows/s"),
    Column("peak_mb", "peak MB", 1),
)
_FILL = """
    INSERT INTO people_counts
    SELECT %(tenant)s, ('00000000-0000-7000-8000-' || lpad((n %% 50)::text, 12, '0'))::uuid, 'a',
           %(start)s + (n / 50) * interval '1 minute', %(start)s + (n / 50) * interval '1 minute', %(site)s, n %% 90,
           n %% 70, now(), 1, %(site)s
    FROM generate_series(0, %(rows)s - 1) n"""


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure, each work in a process of its own, whose peak is its own."""
    most = int(os.environ.get("RMAP_BENCH_ROWS", "20000" if quick else "200000"))
    servers = local_stack.start(deploy=False)
    os.environ.update(servers.aws_environment())
    rows: list[Row] = []
    with _database(servers) as name:
        for count in (most // 10, most):
            tell(f"{count} rows")
            tenant = _filled(servers, name, count)
            rows += [_measured(servers, name, str(tenant), what, count) for what in ("export", "erase")]
    return Result("export", (__doc__ or "").partition("\n")[0], 1, _COLUMNS, rows, _goals(rows), _NOTES)


@contextmanager
def _database(servers: Stack) -> Iterator[str]:
    name = f"bench_{uuid4().hex[:12]}"
    with psycopg.connect(servers.database_admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER rmap_owner").format(sql.Identifier(name)))
        try:
            with psycopg.connect(servers.database_url, dbname=name) as owner:
                migrate(owner)
            yield name
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _filled(servers: Stack, name: str, rows: int) -> Any:
    """A closed tenant with so many counts, of fifty sensors, minute by minute."""
    tenant, start = uuid7(), datetime(2020, 1, 1, tzinfo=UTC)
    with psycopg.connect(servers.database_admin_url, dbname=name, autocommit=True) as admin:
        admin.execute(
            "INSERT INTO tenants (tenant_id, slug, name, status, created_at, updated_at)"
            " VALUES (%s, %s, 'Bench', 'closed', now(), now())",
            (tenant, f"bench-{tenant.hex[-12:]}"),
        )
        for month in range(rows // 50 // 40_000 + 2):
            admin.execute("SELECT app.ensure_month('people_counts', %s)", (start + timedelta(days=28 * month),))
        admin.execute(_FILL, {"tenant": tenant, "start": start, "site": uuid7(), "rows": rows})
        admin.execute("ANALYZE people_counts")
    return tenant


def _measured(servers: Stack, name: str, tenant: str, what: str, count: int) -> Row:
    address = urlsplit(servers.database_app_url)
    environment = {
        **os.environ,
        **servers.aws_environment(),
        "RMAP_DATABASE_HOST": address.hostname or "",
        "RMAP_DATABASE_PORT": str(address.port),
        "RMAP_DATABASE_NAME": name,
        "RMAP_DATABASE_AUTH": "secret",
        "RMAP_DATABASE_SECRET": "rmap/local/database/app",
    }
    command = [sys.executable, "-m", "bench.peers.lifetime", what, tenant]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    told = json.loads(done.stdout.splitlines()[-1])
    facts = {
        "rows": float(count),
        "seconds": told["seconds"],
        "rows_s": count / told["seconds"],
        "peak_mb": told["peak_mb"],
    }
    return Row(f"{what} {count:,} rows", "people counts, from PostgreSQL to the end", {}, facts)


def _goals(rows: list[Row]) -> list[Goal]:
    goals = []
    for what in ("export", "erase"):
        small, large = (row.facts["peak_mb"] for row in rows if row.name.startswith(what))
        goals += [
            Goal(f"{what}: peak memory under {_LIMIT_MB} MB", f"{large:.0f} MB", large < _LIMIT_MB),
            Goal(f"{what}: ten times the rows take no more memory", f"{large - small:+.0f} MB", large - small < 32),  # noqa: PLR2004  a part and a file
        ]
    return goals


_NOTES = (
    "Worker, PostgreSQL and S3's stand-in share the machine; imports of boto3 and psycopg are in the peak.",
    "Read through row level security, as the app's role.",
)
