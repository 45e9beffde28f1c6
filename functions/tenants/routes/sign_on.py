"""Identity providers and mail domains."""

from functions.tenants.routes.declared import ONE, Organizations, routes
from functions.tenants.schemas import sign_on as wire
from tenant_context.errors import NotFound
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, etag


@routes.read(ONE + "/identity-provider", permission="settings.read", answer=wire.ProviderOut)
def show_provider(call: Call[None], organizations: Organizations) -> Answer:
    """Show the identity provider that logs your people in."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    found = organizations.providers.show(call.tenant)
    return Answer(wire.provider(found, organizations.url), headers=etag(found.version))


@routes.act(
    "PUT",
    ONE + "/identity-provider",
    permission="sso.write",
    body=wire.ProviderIn,
    answer=wire.ProviderOut,
    recent=True,
)
def put_provider(call: Call[wire.ProviderIn], organizations: Organizations) -> Answer:
    """Set up the identity provider (OpenID Connect) that logs your people in; its description is read first.

    One that is there is replaced at the version that If-Match names.
    """
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    version = call.expected_version() if organizations.providers.find(call.tenant) else 0
    kept = organizations.providers.put(call.tenant, call.body.provider(version), call.body.client_secret)
    return Answer(wire.provider(kept, organizations.url), headers=etag(kept.version))


@routes.write("DELETE", ONE + "/identity-provider", permission="sso.write", status=204, recent=True)
def remove_provider(call: Call[None], tx: Transaction, organizations: Organizations) -> Answer:
    """Take the identity provider away; whoever came in by it is logged out."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    organizations.providers.remove(tx)
    return Answer()


@routes.read(ONE + "/domains", permission="settings.read", answer=wire.DomainsOut)
def domains(call: Call[None], organizations: Organizations) -> Answer:
    """List the domains of your people's mail addresses."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    return Answer({"items": [wire.domain(one) for one in organizations.providers.domains(call.tenant)]})


@routes.write(
    "POST",
    ONE + "/domains",
    permission="sso.write",
    body=wire.DomainIn,
    answer=wire.DomainOut,
    status=201,
    recent=True,
)
def add_domain(call: Call[wire.DomainIn], tx: Transaction, organizations: Organizations) -> Answer:
    """Claim a domain; put the challenge into its DNS, then verify it."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    return Answer(wire.domain(organizations.providers.add_domain(tx, call.body.domain)))


@routes.act("POST", ONE + "/domains/{domain}/verify", permission="sso.write", answer=wire.DomainOut, recent=True)
def verify_domain(call: Call[None], organizations: Organizations) -> Answer:
    """Look for the challenge in DNS; with it, the domain is yours."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    return Answer(wire.domain(organizations.providers.verify_domain(call.tenant, _plain(call.path["domain"]))))


@routes.write("DELETE", ONE + "/domains/{domain}", permission="sso.write", status=204, recent=True)
def remove_domain(call: Call[None], tx: Transaction, organizations: Organizations) -> Answer:
    """Let a domain go; its people come in by your provider no more, unless they are members already."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    organizations.providers.remove_domain(tx, _plain(call.path["domain"]))
    return Answer()


def _plain(domain: str) -> str:
    """A domain of a path; what PostgreSQL could not even look for is none."""
    if "\x00" in domain:
        raise NotFound
    return domain.lower()
