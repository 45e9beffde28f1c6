"""What a device leaves out where nobody came, from its own push to the coverage that is told."""

from typing import Any
from uuid import UUID

import pytest

from shared.sites.model import Known, Line, Profile, Setup
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.functions.door import VENDORS, World
from tests.integration.test_ingest_line import add_sensor, footfall, part, process
from tests.shared.vendors import samples

LINES = {"Door": Line(), "Hall": Line()}


@pytest.mark.parametrize(
    ("push", "name", "setup", "counted"),
    [
        (samples.XOVIS_LIVE, "00:6E:02:00:00:03", Setup(counts_from="events"), (2, 0, 15)),
        (samples.XOVIS_LIVE, "00:6E:02:00:00:03", Setup(counts_from="events", lines=LINES), (2, 0, 30)),
        (samples.VIVOTEK, "00:02:D1:00:00:06", Setup(), (1, 2, 15)),
        (samples.VIVOTEK, "00:02:D1:00:00:06", Setup(silence="zero", lines=LINES), (1, 2, 30)),
    ],
)
def test_the_minutes_in_which_nobody_came_are_covered_once_however_often_that_is_told(
    database: Database,
    two_tenants: tuple[TenantContext, TenantContext],
    push: Any,
    name: str,
    setup: Setup,
    counted: tuple[int, int, int],
) -> None:
    acme, _ = two_tenants
    sensor: UUID = add_sensor(database, acme)[1]
    world = World()
    world.sensors[name] = Known(sensor, Profile("UTC", 15, setup))
    for at in range(2):
        world.queue.messages.clear()
        world.post(VENDORS, push)
        process(database, acme, part(world.rows(), at=at))
        assert footfall(database, acme) == counted
    assert database.read(acme, "SELECT count(*) FROM people_count_revisions") == [(0,)]
