"""Passkeys: asked, answered once, and judged; by a signed-in user about their own, or by whoever logs in."""

import secrets
from typing import Any
from uuid import UUID

from shared.identity import rules
from shared.identity.errors import (
    CeremonyEnded,
    PasskeyCloned,
    PasskeyExists,
    PasskeyNotFound,
    TooManyPasskeys,
    WrongPasskey,
)
from shared.identity.gateway.passkeys import RelyingParty, handle
from shared.identity.model import Ceremony, Passkey, User
from shared.identity.repository.passkeys import PasskeyRepository
from shared.identity.repository.tickets import TicketRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import Caller, in_place, security
from shared.identity.service.throttle import Throttle
from tenant_context.clock import Clock
from tenant_context.postgres import Database

_ADD = "passkey-add"
LOG_IN, STEP_UP = "passkey-log-in", "passkey-step-up"
"""What a passkey is asked for; an answer to one question is none to the other."""


class Passkeys:
    """Sets passkeys up, asks them, judges their answers and takes them away."""

    def __init__(
        self,
        database: Database,
        users: UserRepository,
        passkeys: PasskeyRepository,
        tickets: TicketRepository,
        *,
        party: RelyingParty,
        throttle: Throttle,
        clock: Clock,
    ) -> None:
        self._database = database
        self._users = users
        self._passkeys = passkeys
        self._tickets = tickets
        self._party = party
        self._throttle = throttle
        self._clock = clock

    def of_user(self, user: UUID) -> list[Passkey]:
        """What the user has set up."""
        return self._passkeys.of_user(user)

    def user_of(self, credential: dict[str, Any]) -> UUID | None:
        """Whose passkey an answer says it is of."""
        return self._passkeys.user_of(credential["id"])

    def begin(self, user: User) -> Ceremony:
        """Ask for a new passkey. Errors: TooManyPasskeys."""
        known = self._passkeys.of_user(user.id)
        if len(known) >= rules.MAX_PASSKEYS:
            raise TooManyPasskeys
        challenge = secrets.token_bytes(32)
        return self._asked(_ADD, user.id, challenge, self._party.creation_options(user, challenge, known))

    def add(self, user: User, token: str, credential: dict[str, Any], name: str) -> Passkey:
        """The new passkey's answer sets it up. Errors: CeremonyEnded, PasskeyRefused, …Exists, TooManyPasskeys."""
        challenge = self._waiting(_ADD, token, user.id)
        self._take(_ADD, token)
        made = self._party.made(user, credential, challenge, name, self._clock())
        if not self._passkeys.add(made):
            raise TooManyPasskeys if len(self._passkeys.of_user(user.id)) >= rules.MAX_PASSKEYS else PasskeyExists
        return made

    def remove(self, user: UUID, credential: str) -> Passkey:
        """Take one away; answers what it was. Errors: PasskeyNotFound."""
        found = self._passkeys.find(user, credential) if rules.is_credential_id(credential) else None
        if found is None or not self._passkeys.remove(user, credential):
            raise PasskeyNotFound
        return found

    def ask(self, purpose: str, user: UUID | None, carried: str = "") -> Ceremony:
        """Ask the user's passkeys; with no user, whichever one the device offers, which then has to verify its user.

        The ticket carries another ticket's token along, where the answer is to use that one up as well.
        Errors: PasskeyNotFound, for a user who has none.
        """
        challenge = secrets.token_bytes(32)
        allowed = self._passkeys.of_user(user) if user else []
        if user and not allowed:
            raise PasskeyNotFound
        options = self._party.request_options(challenge, allowed, verify_user=user is None)
        return self._asked(purpose, user, challenge, options, carried)

    def check(
        self,
        purpose: str,
        token: str,
        credential: dict[str, Any],
        user: UUID | None,
        caller: Caller,
        device: str = "",
    ) -> Passkey:
        """The passkey that answered well what its user, or with none anybody, was asked; the question is then used up.

        Errors: CeremonyEnded, WrongPasskey, PasskeyCloned, TooManyTries.
        """
        challenge = self._waiting(purpose, token, user)
        attempt = self._throttle.enter("passkey", str(user or credential["id"]), caller.source_ip, device)
        self._take(purpose, token)
        try:
            passkey = self._judged(credential, challenge, user)
        except PasskeyCloned as cloned:
            self._throttle.failed(attempt)
            self._tell_cloned(cloned, caller)
            raise
        except WrongPasskey:
            self._throttle.failed(attempt)
            raise
        self._throttle.succeeded(attempt)
        return passkey

    def _judged(self, credential: dict[str, Any], challenge: bytes, user: UUID | None) -> Passkey:
        owner = user or self.user_of(credential)
        passkey = self._passkeys.find(owner, credential["id"]) if owner else None
        if passkey is None or not _names(credential, passkey.user, needed=user is None):
            raise WrongPasskey
        signed = self._party.signed(passkey, credential, challenge, verify_user=user is None)
        if not self._passkeys.use(passkey, signed.sign_count, backed_up=signed.backed_up, now=self._clock()):
            if self._passkeys.find(passkey.user, passkey.id) is None:
                raise WrongPasskey
            raise PasskeyCloned(passkey.user, passkey.name)
        return passkey

    def _asked(
        self, purpose: str, user: UUID | None, challenge: bytes, options: dict[str, Any], carried: str = ""
    ) -> Ceremony:
        token = f"pk_{secrets.token_urlsafe(32)}{'.' if carried else ''}{carried}"
        expires = int(self._clock().timestamp()) + rules.CHALLENGE_SECONDS
        self._tickets.put(purpose, token, {"user": str(user or ""), "challenge": challenge}, expires)
        return Ceremony(token, options, rules.CHALLENGE_SECONDS)

    def _waiting(self, purpose: str, token: str, user: UUID | None) -> bytes:
        item = self._tickets.find(purpose, token, self._clock().timestamp())
        if item is None or item["user"] != str(user or ""):
            raise CeremonyEnded
        challenge: bytes = item["challenge"]
        return challenge

    def _take(self, purpose: str, token: str) -> None:
        if not self._tickets.take(purpose, token):
            raise CeremonyEnded

    def _tell_cloned(self, cloned: PasskeyCloned, caller: Caller) -> None:
        """To the admins of each of the user's organizations: which one the copy was meant for, nobody knows."""
        for place in self._users.memberships(cloned.user):
            tenant = in_place(place.tenant, cloned.user, caller)
            with self._database.transaction(tenant) as tx:
                tx.emit(security("passkey_cloned", cloned.user, caller, {"name": cloned.name}))


def carried_by(token: str) -> str:
    """The token that a ticket carries along, or nothing."""
    return token.partition(".")[2]


def _names(credential: dict[str, Any], user: UUID, *, needed: bool) -> bool:
    """Whether the answer is of this user as the device knows them; one that was asked for anybody has to say it."""
    told = credential["response"].get("userHandle")
    return told == handle(user) if needed or told is not None else True
