"""Hosts of an organization's own, proved by DNS as mail domains are."""

from dataclasses import replace
from datetime import datetime, timedelta

from shared.identity.errors import DomainTaken
from shared.identity.service.challenges import RECORD, Challenges, fresh_challenge
from shared.names.errors import NotAHost
from shared.names.rules import MAX_HOST, host
from shared.places import rules
from shared.places.errors import CustomDomainNotFound, DomainContested, DomainRefused
from shared.places.model import CustomDomain
from shared.places.repository.domains import CustomDomainRepository
from tenant_context.clock import rfc3339
from tenant_context.context import TenantContext, from_dns
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction
from tenant_context.states import Need, permits, refusal

GRACE = timedelta(days=3)
"""How long who holds a domain can put its challenge back, once another's was seen there instead."""
LAPSE = timedelta(days=30)
"""After that a contest that nobody followed up begins anew."""
_LONGEST = MAX_HOST - len(RECORD) - 1
"""So that the challenge's own name, a label below, is one that DNS can hold."""


class CustomDomains:
    """Claims, verifies and lets go; `base` is what subdomains are below, `own` are domains of the platform's."""

    def __init__(
        self,
        database: Database,
        repository: CustomDomainRepository,
        challenges: Challenges,
        *,
        base: str,
        own: tuple[str, ...],
    ) -> None:
        self._database = database
        self._repository = repository
        self._challenges = challenges
        self._base = base
        self._own = own

    def subdomain(self, tenant: TenantContext) -> str | None:
        """The host that the organization has by its slug; None where the platform gives none."""
        return rules.subdomain(self._repository.slug(tenant), self._base)

    def all(self, tenant: TenantContext) -> list[CustomDomain]:
        """The organization's own domains, by name."""
        return self._repository.all(tenant)

    def add(self, tx: Transaction, text: str) -> CustomDomain:
        """Claim a domain, whoever else has claimed it; emits tenant.custom_domain_added.

        Errors: DomainRefused, DomainTaken (by this organization), LimitReached.
        """
        try:
            domain = host(text)
        except NotAHost as error:
            raise DomainRefused(str(error)) from error
        rules.check_domain(domain, self._own, _LONGEST)
        challenge = fresh_challenge()
        self._repository.add(tx, domain, challenge)
        _tell(tx, "tenant.custom_domain_added", domain)
        return CustomDomain(domain, challenge, tx.now, None)

    def verify(self, tenant: TenantContext, text: str) -> CustomDomain:
        """Look for the challenge in DNS; with it the organization is found at the domain, and nobody else can be.

        It is looked for once: what was verified stays so until it is removed, or another organization's challenge
        stands there and this one's does not. In an organization that is read-only, what it holds already is looked for
        again, and nothing else. Emits tenant.custom_domain_verified.
        Errors: CustomDomainNotFound, ChallengeMissing, DomainTaken, DomainContested, NamesUnreachable, and what says
        the organization's state.
        """
        domain = _named(text)
        found = next((one for one in self._repository.all(tenant) if one.domain == domain), None)
        if found is None:
            raise CustomDomainNotFound
        if found.verified_at is None and not permits(tenant.state, Need.WRITE):
            raise refusal(tenant.state)
        if found.verified_at is not None and found.contested_at is None:
            return found
        texts = self._challenges.look(tenant, domain, found.challenge)
        try:
            since = self._verified(tenant, domain)
        except DomainTaken:
            self._take_over(tenant, domain, texts)
            since = self._verified(tenant, domain)
        return replace(found, verified_at=since, contested_at=None)

    def _take_over(self, tenant: TenantContext, domain: str, texts: list[str]) -> None:
        """Have a domain that changed hands leave who holds it, who was told `GRACE` before.

        Where the holder's challenge is seen the contest is over: the next one is told again, and takes as long.
        Emits tenant.custom_domain_contested and tenant.custom_domain_lost there.
        Errors: DomainTaken, while the holder's challenge is in DNS as well; DomainContested.
        """
        holder = self._repository.holder(tenant, domain)
        if holder is None:  # it was let go a moment ago
            return
        if holder.challenge in texts:
            with self._database.transaction(from_dns(holder.tenant, tenant.request_id)) as tx:
                self._repository.keep(tx, domain)
            raise DomainTaken("Another organization has verified this domain, and its challenge is in DNS as well.")
        with self._database.transaction(from_dns(holder.tenant, tenant.request_id)) as tx:
            since = self._repository.contest(tx, domain, tenant.tenant, LAPSE)
            if since == tx.now:
                _tell(tx, "tenant.custom_domain_contested", domain, until=rfc3339(since + GRACE))
            elif since is not None and tx.now >= since + GRACE:
                self._repository.lose(tx, domain)
                _tell(tx, "tenant.custom_domain_lost", domain)
        if since is not None and tx.now < since + GRACE:
            raise DomainContested(since + GRACE)

    def _verified(self, tenant: TenantContext, domain: str) -> datetime:
        with self._database.transaction(tenant) as tx:
            since = self._repository.verify(tx, domain)
            if since is None:
                raise CustomDomainNotFound
            _tell(tx, "tenant.custom_domain_verified", domain)
        return since

    def remove(self, tx: Transaction, text: str) -> None:
        """Let a domain go; emits tenant.custom_domain_removed. Errors: CustomDomainNotFound."""
        domain = _named(text)
        if not self._repository.remove(tx, domain):
            raise CustomDomainNotFound
        _tell(tx, "tenant.custom_domain_removed", domain)


def _named(text: str) -> str:
    """A domain of an address, in its one form; what is no host's name was never claimed."""
    try:
        return host(text)
    except NotAHost as error:
        raise CustomDomainNotFound from error


def _tell(tx: Transaction, kind: str, domain: str, **more: str) -> None:
    data = {"id": str(tx.tenant.tenant), "domain": domain, **more}
    tx.emit(Event(kind, f"custom-domain/{domain}", data))
