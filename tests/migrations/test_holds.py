"""What operators had ordered before there were holds is marked as theirs, and nothing else is."""

from uuid import uuid4

import pytest

from tests.migrations.conftest import Empty

OWN = "closed by its owner"


@pytest.mark.parametrize(
    ("status", "reason", "subscription", "stage", "held"),
    [
        ("suspended", "abuse", "active", "", "suspended"),
        ("suspended", "abuse", "past_due", "restricted", "suspended"),
        ("suspended", "payment failed", "past_due", "suspended", None),
        ("restricted", "complaints", "active", "", "restricted"),
        ("restricted", "payment failed", "past_due", "restricted", None),
        ("restricted", "subscription canceled", "canceled", "", None),
        ("restricted", "subscription paused", "paused", "", None),
        ("closing", "fraud", "active", "", "closing"),
        ("closing", OWN, "active", "", None),
        ("active", "", "active", "", None),
        ("billing_pending", "", None, "", None),
    ],
)
def test_states_that_only_operators_order_become_holds(
    empty: Empty, status: str, reason: str, subscription: str | None, stage: str, held: str | None
) -> None:
    empty.migrate("0014")
    tenant = uuid4()
    with empty.admin() as admin:
        admin.execute(
            "INSERT INTO tenants (tenant_id, slug, name, status, status_reason, subscription_status, dunning_stage,"
            " created_at, updated_at) VALUES (%s, 'acme', 'Acme', %s, %s, %s, %s, now(), now())",
            (tenant, status, reason, subscription, stage),
        )
    empty.migrate()
    with empty.admin() as admin:
        found = admin.execute("SELECT status, held_state, held_reason, held_since IS NOT NULL FROM tenants").fetchone()
    assert found == (status, held, reason if held else None, held is not None)
