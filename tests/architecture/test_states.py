"""Every worker says what it wants of its tenant, or works for every tenant by decision (0019)."""

import re
from pathlib import Path

import pytest

from infra import catalog
from infra.vocabulary import Access, QueueConsumer, Table
from shared.jobs.model import NEEDS, Job
from tenant_context.states import Need

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
WANTS = {
    "billing_outcomes": "SETTLE",
    "export_worker": "PROCESS",
    "inbox_worker": "SETTLE",
    "refresh_worker": "TIMED",
    "sensors_processor": "PROCESS",
    "tills_processor": "PROCESS",
    "upload_worker": "PROCESS",
    "usage_recorder": "PROCESS",
    "webhooks_dispatcher": "PROCESS",
    "webhooks_fanout": "PROCESS",
    # Asks Stripe for what billing_outcomes then judges; what it makes there is one for each tenant, whenever it comes.
    "billing_provisioner": "",
    # Its tenants are closed.
    "erasure": "",
    # Mails are to people, about the end of an organization too.
    "mailer": "",
}
CONSUMERS = sorted(
    {row.name for row in catalog.FUNCTIONS if any(isinstance(trigger, QueueConsumer) for trigger in row.triggers)}
)


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_consumer_of_a_queue_wants_what_was_decided(name: str) -> None:
    said = re.search(r"need=Need\.(\w+)", (FUNCTIONS / name / "handler.py").read_text())
    assert name in WANTS, "decide what it wants of a tenant: tenant_context/states.py, decision 0019"
    assert (said[1] if said else "") == WANTS[name]


def test_of_timed_work_only_usage_and_the_care_for_states_go_on_in_every_state() -> None:
    assert NEEDS == {Job.USAGE: Need.SETTLE, Job.LIFE: Need.SETTLE}
    assert "needs=NEEDS" in (FUNCTIONS / "refresh_worker" / "handler.py").read_text()
    assert "need=NEEDS.get(job, Need.TIMED)" in (FUNCTIONS / "scheduled_refreshes" / "plan.py").read_text()


@pytest.mark.parametrize("name", [name for name in CONSUMERS if WANTS.get(name)])
def test_who_wants_something_of_a_tenant_can_learn_its_state(name: str) -> None:
    row = catalog.function(name)
    asks = "state_of=" in (FUNCTIONS / name / "handler.py").read_text()
    assert row.may(Access.CONNECT) != asks
    assert not asks or row.may(Access.READ_TABLE, Table.REVOCATIONS)


def test_only_the_operators_address_orders_a_state() -> None:
    """Whoever else moves a tenant is held by what was ordered; the hold itself is written in one place."""
    ordering = {
        str(path.relative_to(ROOT))
        for folder in ("functions", "shared")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"life\.order\(|SET held_state", path.read_text())
    }
    assert ordering == {"functions/tenants/routes/plans.py", "shared/life/repository.py"}
    routes = (FUNCTIONS / "tenants/routes/plans.py").read_text()
    (address,) = re.findall(r"@routes\.act\(([^@]*?)\)\ndef (?:(?!\ndef ).)*?life\.order", routes, re.DOTALL)
    assert "proof=Proof.OPERATOR" in address
