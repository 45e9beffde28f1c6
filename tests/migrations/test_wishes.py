"""What an owner had closed before wishes were kept is their wish, and what an operator closed is not."""

from uuid import uuid4

import pytest

from tests.migrations.conftest import Empty


@pytest.mark.parametrize(
    ("status", "held", "wished"), [("closing", None, True), ("closing", "closing", False), ("active", None, False)]
)
def test_what_nobody_but_its_owner_closes_is_a_wish(
    empty: Empty, status: str, held: str | None, *, wished: bool
) -> None:
    empty.migrate("0018")
    with empty.admin() as admin:
        admin.execute(
            "INSERT INTO tenants (tenant_id, slug, name, status, held_state, held_reason, held_since, closes_at,"
            " created_at, updated_at) VALUES (%s, 'acme', 'Acme', %s, %s, %s, %s, %s, now(), now())",
            (
                uuid4(),
                status,
                held,
                "fraud" if held else None,
                "2026-03-02" if held else None,
                "2026-04-01" if status == "closing" else None,
            ),
        )
    empty.migrate()
    with empty.admin() as admin:
        found = admin.execute(
            "SELECT wished_closes_at IS NOT NULL AND wished_closes_at = closes_at, wished_by FROM tenants"
        ).fetchone()
    assert found == (wished, None)
