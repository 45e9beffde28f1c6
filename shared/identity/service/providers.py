"""A tenant's identity provider and mail domains, as its admins set them up."""

from dataclasses import replace
from datetime import datetime

from shared.federation.gateway.secrets import ClientSecrets
from shared.identity.errors import (
    DomainNotFound,
    NoProvider,
    OwnersOnly,
    ProviderNeeded,
    TooManyDomains,
    UnknownRole,
)
from shared.identity.gateway.egress import Egress
from shared.identity.model import MailDomain, Provider
from shared.identity.repository.members import MemberRepository
from shared.identity.repository.providers import ProviderRepository
from shared.identity.repository.roles import RoleRepository
from shared.identity.repository.sessions import SessionRepository
from shared.identity.service.callers import user_of
from shared.identity.service.challenges import Challenges, fresh_challenge
from shared.identity.service.roles import check_may_give
from tenant_context.context import TenantContext
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction

DOMAINS_AT_MOST = 50


class Providers:
    """Sets up who vouches for a tenant's people, and which mail domains are its own."""

    def __init__(
        self,
        database: Database,
        providers: ProviderRepository,
        roles: RoleRepository,
        members: MemberRepository,
        sessions: SessionRepository,
        *,
        client_secrets: ClientSecrets,
        egress: Egress,
    ) -> None:
        self._database = database
        self._providers = providers
        self._roles = roles
        self._members = members
        self._sessions = sessions
        self._client_secrets = client_secrets
        self._egress = egress
        self._challenges = Challenges(egress)

    def find(self, tenant: TenantContext) -> Provider | None:
        """The tenant's provider."""
        return self._providers.find(tenant)

    def show(self, tenant: TenantContext) -> Provider:
        """The tenant's provider. Errors: NoProvider."""
        found = self._providers.find(tenant)
        if found is None:
            raise NoProvider
        return found

    def put(self, tenant: TenantContext, provider: Provider, secret: str | None) -> Provider:
        """Another provider, or other particulars; without a secret, the one before goes on.

        `provider.version` is the one that was read, 0 where there was none. Its description is read first. Emits
        security.provider_changed; where the issuer is another, sessions that the one before vouched for end.
        Errors: PreconditionFailed, NoProvider (no secret yet), ProviderUnreachable, ProviderRefused, UnknownRole,
        RoleNotHeld, OwnersOnly.
        """
        present = self._providers.find(tenant)
        if secret is None and present is None:
            raise NoProvider("There is no provider yet: send its client_secret.")
        call = {"issuer": provider.issuer}
        self._egress.call("describe", call, tenant=tenant.tenant, request_id=tenant.request_id)
        if secret is not None:
            sealed = self._client_secrets.seal(tenant.tenant, secret)
        else:
            sealed = present.sealed_secret if present else b""
        kept = replace(provider, sealed_secret=sealed, version=provider.version + 1)
        with self._database.transaction(tenant) as tx:
            self._require_owner(tx)
            self._check_roles(tx, kept)
            if not self._providers.put(tx, kept):
                raise PreconditionFailed("The provider was changed meanwhile; read it again.")
            if present is not None and present.issuer != kept.issuer:
                self.outdate(tx)
            data = {"issuer": kept.issuer, "client_id": kept.client_id}
            tx.emit(Event("security.provider_changed", f"tenant/{tenant.tenant}", data))
        return kept

    def _require_owner(self, tx: Transaction) -> None:
        """Who says which provider vouches for whom could become anybody, so it is owners who say it."""
        caller = user_of(tx.tenant)
        if self._members.lock_all(tx, caller).get(caller) != "owner":
            raise OwnersOnly

    def _check_roles(self, tx: Transaction, provider: Provider) -> None:
        for role in {*provider.role_map.values(), *([provider.default_role] if provider.default_role else [])}:
            if role == "owner":
                raise OwnersOnly("A provider makes nobody an owner; owners do.")
            try:
                check_may_give(tx, self._roles, self._members, role)
            except UnknownRole as error:
                raise UnknownRole("/role_map" if role in provider.role_map.values() else "/default_role") from error

    def remove(self, tx: Transaction) -> None:
        """No provider any more; emits security.provider_removed. Errors: OwnersOnly, NoProvider, ProviderNeeded."""
        self._require_owner(tx)
        if self._providers.is_needed(tx):
            raise ProviderNeeded
        if not self._providers.remove(tx):
            raise NoProvider
        data = {"id": str(tx.tenant.tenant)}
        tx.emit(Event("security.provider_removed", f"tenant/{tx.tenant.tenant}", data))
        # Sessions that it vouched for end when they are refreshed, which all of them are now.
        tx.after_commit(lambda: self._sessions.outdate(tx.tenant.tenant))

    def domains(self, tenant: TenantContext) -> list[MailDomain]:
        """The tenant's domains."""
        return self._providers.domains(tenant)

    def add_domain(self, tx: Transaction, domain: str) -> MailDomain:
        """Claim a domain; emits security.domain_added. Errors: OwnersOnly, DomainTaken, TooManyDomains."""
        self._require_owner(tx)
        if self._providers.count_domains(tx) >= DOMAINS_AT_MOST:
            raise TooManyDomains(f"There are {DOMAINS_AT_MOST} domains, which is as many as there may be.")
        challenge = fresh_challenge()
        self._providers.add_domain(tx, domain, challenge)
        tx.emit(Event("security.domain_added", f"domain/{domain}", {"domain": domain}))
        return MailDomain(domain, challenge, tx.now, None)

    def verify_domain(self, tenant: TenantContext, domain: str) -> MailDomain:
        """Look for the challenge in DNS; emits security.domain_verified.

        Errors: OwnersOnly, DomainNotFound, ChallengeMissing, DomainTaken, NamesUnreachable.
        """
        found = next((one for one in self._providers.domains(tenant) if one.domain == domain), None)
        if found is None:
            raise DomainNotFound
        if found.verified_at is not None:
            return found
        self._challenges.check(tenant, domain, found.challenge)
        return replace(found, verified_at=self._verified(tenant, domain))

    def _verified(self, tenant: TenantContext, domain: str) -> datetime:
        with self._database.transaction(tenant) as tx:
            self._require_owner(tx)
            since = self._providers.verify_domain(tx, domain)
            if since is None:
                raise DomainNotFound
            tx.emit(Event("security.domain_verified", f"domain/{domain}", {"domain": domain}))
        return since

    def remove_domain(self, tx: Transaction, domain: str) -> None:
        """Let a domain go; emits security.domain_removed. Errors: OwnersOnly, DomainNotFound."""
        self._require_owner(tx)
        if not self._providers.remove_domain(tx, domain):
            raise DomainNotFound
        tx.emit(Event("security.domain_removed", f"domain/{domain}", {"domain": domain}))

    def check_there_is_one(self, tx: Transaction) -> None:
        """Whether there is a provider by which alone people could come in. Errors: ProviderNeeded."""
        if not self._providers.exists(tx):
            raise ProviderNeeded("Set up an identity provider first.")

    def outdate(self, tx: Transaction) -> None:
        """Have everybody refresh their tokens, once the transaction has committed: what they rest on has changed."""
        tx.after_commit(lambda: self._sessions.outdate(tx.tenant.tenant))
