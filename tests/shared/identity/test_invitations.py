"""What whoever brings back the code of an invitation is told, once it is not good any more."""

from dataclasses import replace
from datetime import timedelta
from typing import cast
from uuid import uuid4

import pytest

from shared.identity.errors import InvitationAccepted, TicketEnded
from shared.identity.model import Invitation
from shared.identity.repository.invitations import InvitationRepository
from shared.identity.service.callers import user_of
from shared.identity.service.invitations import Asked
from shared.identity.service.mailed_codes import MailedCodes
from tenant_context.context import TenantContext, UserId
from tenant_context.postgres import Database


def test_an_invitation_that_was_accepted_says_so_and_one_that_was_taken_back_does_not(
    database: Database, two_tenants: tuple[TenantContext, TenantContext]
) -> None:
    acme, globex = two_tenants
    repository = InvitationRepository(database)
    asked = Asked(repository, cast("MailedCodes", None))  # who has found the invitation has read its code
    guest = user_of(globex)
    accepted, revoked = uuid4(), uuid4()
    with database.transaction(acme) as tx:
        for one, email in ((accepted, "guest@example.com"), (revoked, "other@example.com")):
            until = tx.now + timedelta(days=7)
            repository.add(tx, Invitation(one, email, "member", user_of(acme), tx.now, until, "open"))
        repository.revoke(tx, revoked)
    as_guest = replace(acme, user=UserId(guest))
    with database.transaction(as_guest) as tx:
        asked.enter(tx, accepted, guest)
    for look in (asked.enter, asked.check_good):
        with pytest.raises(InvitationAccepted, match="accepted already"), database.transaction(as_guest) as tx:
            look(tx, accepted, guest)
        with pytest.raises(TicketEnded, match="not good any more"), database.transaction(as_guest) as tx:
            look(tx, revoked, guest)
    assert InvitationAccepted.code == TicketEnded.code
