"""Hosts of an organization's own, proved by DNS as mail domains are."""

from dataclasses import replace
from datetime import datetime

from shared.identity.service.challenges import RECORD, Challenges, fresh_challenge
from shared.names.errors import NotAHost
from shared.names.rules import MAX_HOST, host
from shared.places import rules
from shared.places.errors import CustomDomainNotFound, DomainRefused
from shared.places.model import CustomDomain
from shared.places.repository.domains import CustomDomainRepository
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction

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

        It is looked for once: what was verified stays so until it is removed. Emits tenant.custom_domain_verified.
        Errors: CustomDomainNotFound, ChallengeMissing, DomainTaken, NamesUnreachable.
        """
        domain = _named(text)
        found = next((one for one in self._repository.all(tenant) if one.domain == domain), None)
        if found is None:
            raise CustomDomainNotFound
        if found.verified_at is not None:
            return found
        self._challenges.check(tenant, domain, found.challenge)
        return replace(found, verified_at=self._verified(tenant, domain))

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


def _tell(tx: Transaction, kind: str, domain: str) -> None:
    data = {"id": str(tx.tenant.tenant), "domain": domain}
    tx.emit(Event(kind, f"custom-domain/{domain}", data))
