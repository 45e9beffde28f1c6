"""An account that somebody set up with a mail address and never confirmed is for whoever proves the address."""

from uuid import UUID

from shared.identity.errors import EmailTaken
from shared.identity.repository.credentials import CredentialRepository
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import Caller, everywhere, security
from tenant_context.postgres import Database


class Takeover:
    """Empties such an account for them: by a code from a mail, an invitation, or the word of a domain's provider."""

    def __init__(
        self,
        database: Database,
        users: UserRepository,
        sessions: SessionRepository,
        credentials: CredentialRepository,
    ) -> None:
        self._database = database
        self._users = users
        self._sessions = sessions
        self._credentials = credentials

    def clear(self, user: UUID, caller: Caller) -> None:
        """Take away whatever the account was entered by: the password, what stands beside it, and every session.

        It stays a member of what it is a member of, organizations that were made with it too. It stays unconfirmed, so
        that all this is done again where it is cut off; `UserRepository.make_own` ends it.
        Emits security.account_taken_over. Errors: EmailTaken, when the address was confirmed meanwhile.
        """
        places = everywhere(self._users.memberships(user), user, caller)
        for place in places:
            with self._database.transaction(place) as tx:
                if not self._users.empty(tx, user):
                    raise EmailTaken
                tx.emit(security("account_taken_over", user, caller, {}))
        self._credentials.forget(user)
        for place in places:
            for session in self._sessions.of_user(place.tenant, user):
                self._sessions.end(session.id)
        self._credentials.forget(user)  # what a session added until it ended
