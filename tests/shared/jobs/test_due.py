"""For whom timed work is planned: tenants that have some, and a job does nothing for those that have none."""

from typing import LiteralString
from uuid import UUID

import pytest

from shared.alerts.repository.alerts import AlertRepository
from shared.alerts.repository.rules import RuleRepository
from shared.alerts.service.judging import Judging, Sources
from shared.alerts.service.watch import Patrol
from shared.figures.repository import FigureRepository
from shared.jobs.model import NEEDS, Job
from shared.jobs.repository import JobRepository
from shared.jobs.service import Share
from shared.occupancy.repository import LimitRepository
from shared.occupancy.service import Limits, Occupancy
from shared.quality.repository.days import DayRepository
from shared.quality.repository.incidents import IncidentRepository
from shared.quality.service.scoring import Scoring
from tenant_context.clock import uuid7
from tenant_context.postgres import Database
from tenant_context.states import Need, permitting
from tests.conftest import Clone
from tests.shared.jobs.conftest import NOON, Stores

STORED: LiteralString = (
    "INSERT INTO usage_events (tenant_id, source, id, meter, at, quantity, received_at)"
    " VALUES (%(id)s, 'storage', '2026-03-03', 'storage', %(now)s, 1, %(now)s)"
)
QUIET: tuple[LiteralString, ...] = ("UPDATE tenants SET status = 'active' WHERE tenant_id = %(id)s", STORED)
CAMPAIGN: LiteralString = (
    "INSERT INTO campaigns (tenant_id, id, name, type, status, budget, currency, starts_at, created_by, created_at,"
    " updated_at) SELECT %(id)s, gen_random_uuid(), 'C', 'in_store', status, 1, 'EUR', starts, %(id)s, %(now)s, %(now)s"
    " FROM (VALUES {}) v (status, starts)"
)
HOUR: LiteralString = (
    "INSERT INTO usage_hourly (tenant_id, meter, hour, quantity, planned) VALUES (%(id)s, 'events', %(now)s, 2, {})"
)
PUSH: LiteralString = (
    "INSERT INTO usage_pushes (tenant_id, meter, hour, part, quantity, state, created_at)"
    " VALUES (%(id)s, 'events', %(now)s, 1, 2, '{}', %(now)s)"
)
RULE: LiteralString = (
    "INSERT INTO alert_rules (tenant_id, id, name, site_id, each_store, condition, severity, enabled, version,"
    " created_at, updated_at) VALUES (%(id)s, %(id)s, 'R', %(id)s, false, '{{}}', 'info', {}, 1, %(now)s, %(now)s)"
)
HAVE_SOME: dict[str, tuple[Job, LiteralString]] = {
    "a campaign": (Job.REFRESH_PERFORMANCE, CAMPAIGN.format("('active', %(now)s::timestamptz)")),
    "a campaign that is over": (Job.REFRESH_PERFORMANCE, CAMPAIGN.format("('completed', '2020-01-01'::timestamptz)")),
    "a day of a sensor": (
        Job.QUALITY,
        "INSERT INTO quality_days (tenant_id, sensor_id, day, touched_at) VALUES (%(id)s, %(id)s, %(now)s, %(now)s)",
    ),
    "a sensor that was heard": (
        Job.WATCH,
        "INSERT INTO sensor_beats (tenant_id, sensor_id, seen_at) VALUES (%(id)s, %(id)s, %(now)s)",
    ),
    "a limit": (
        Job.WATCH,
        (
            "INSERT INTO occupancy_limits (tenant_id, site_id, capacity, clear_at, updated_at)"
            " VALUES (%(id)s, %(id)s, 10, 5, %(now)s)"
        ),
    ),
    "a rule": (Job.WATCH, RULE.format("true")),
    "usage that is not planned": (Job.USAGE, HOUR.format("1")),
    "usage that is not told": (Job.USAGE, PUSH.format("waiting")),
    "storage that was measured the day before": (
        Job.USAGE,
        "UPDATE usage_events SET id = '2026-03-02' WHERE tenant_id = %(id)s",
    ),
    "a suspension": (Job.LIFE, "UPDATE tenants SET status = 'suspended' WHERE tenant_id = %(id)s"),
}
HAVE_NONE: dict[str, tuple[Job, LiteralString]] = {
    "campaigns that never flew": (
        Job.REFRESH_PERFORMANCE,
        CAMPAIGN.format("('draft', %(now)s::timestamptz), ('active', NULL)"),
    ),
    "a rule that is off": (Job.WATCH, RULE.format("false")),
    "usage that is planned": (Job.USAGE, HOUR.format("2")),
    "usage that is told": (Job.USAGE, PUSH.format("pushed")),
}
SOMETIMES = (Job.REFRESH_PERFORMANCE, Job.QUALITY, Job.WATCH, Job.USAGE, Job.LIFE)


@pytest.fixture
def repository(database: Database) -> JobRepository:
    return JobRepository(database)


def put(clone: Clone, tenant: UUID, *statements: LiteralString) -> None:
    with clone.connect() as admin:
        admin.execute("SET session_replication_role = replica")  # their sites and sensors are nobody's here
        for statement in statements:
            admin.execute(statement, {"id": tenant, "now": NOON})


def due(repository: JobRepository, job: Job) -> list[UUID]:
    return [one for page in repository.due(job, NOON) for one in page]


@pytest.mark.parametrize("what", HAVE_SOME)
def test_a_job_is_due_for_who_has(
    what: str, repository: JobRepository, clone: Clone, acme: Stores, globex: Stores
) -> None:
    put(clone, acme.tenant.tenant, *QUIET)
    put(clone, globex.tenant.tenant, *QUIET)
    assert [due(repository, job) for job in SOMETIMES] == [[]] * len(SOMETIMES)
    job, statement = HAVE_SOME[what]
    put(clone, acme.tenant.tenant, statement)
    assert {one: due(repository, one) for one in SOMETIMES} == {
        one: [acme.tenant.tenant] if one is job else [] for one in SOMETIMES
    }


@pytest.mark.parametrize("what", HAVE_NONE)
def test_a_job_is_not_due_for_who_has(what: str, repository: JobRepository, clone: Clone, acme: Stores) -> None:
    job, statement = HAVE_NONE[what]
    put(clone, acme.tenant.tenant, *QUIET, statement)
    assert acme.tenant.tenant not in due(repository, job)


@pytest.mark.parametrize("status", ["suspended", "closed"])
def test_a_job_is_due_only_in_a_state_that_permits_it(
    status: str, repository: JobRepository, clone: Clone, acme: Stores
) -> None:
    put(clone, acme.tenant.tenant, *(statement for _, statement in HAVE_SOME.values()))
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET status = %s WHERE tenant_id = %s", (status, acme.tenant.tenant))
    permitted = {job for job in SOMETIMES if status in permitting(NEEDS.get(job, Need.TIMED))}
    assert len(permitted) < len(SOMETIMES)
    assert {job for job in SOMETIMES if acme.tenant.tenant in due(repository, job)} == permitted


def test_a_job_of_which_nothing_is_known_is_due_for_all_page_by_page(
    repository: JobRepository, acme: Stores, globex: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.jobs.repository._PAGE", 1)
    first, second = sorted((acme.tenant.tenant, globex.tenant.tenant))
    assert list(repository.due(Job.HOUSEKEEPING, NOON)) == [[first], [second]]
    assert list(repository.due(Job.HOUSEKEEPING, NOON, first)) == [[second]]


@pytest.mark.parametrize("job", [Job.REFRESH_PERFORMANCE, Job.QUALITY, Job.WATCH])
def test_where_a_job_is_not_due_it_does_nothing(
    job: Job, repository: JobRepository, database: Database, clone: Clone, acme: Stores
) -> None:
    figures, limits = FigureRepository(), LimitRepository()
    sources = Sources(RuleRepository(), AlertRepository(), figures, limits)
    shares: dict[Job, Share] = {
        Job.REFRESH_PERFORMANCE: repository.refresh_performance,
        Job.QUALITY: Scoring(DayRepository(), IncidentRepository(), uuid7),
        Job.WATCH: Patrol(Limits(figures, limits, Occupancy(figures, limits)), Judging(sources, uuid7)),
    }
    acme.site("Europe/Berlin")
    put(clone, acme.tenant.tenant, *QUIET, *(one for _, one in HAVE_NONE.values()))
    assert due(repository, job) == []
    with database.transaction(acme.tenant) as tx:
        assert set(shares[job](tx).values()) == {0}
