"""Settings, branding, custom domains, and the organization at a host."""

from functions.tenants.routes.declared import ONE, Organizations, routes
from functions.tenants.schemas import places as wire
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, Proof, etag
from tenant_context.states import Need

DOMAINS = ONE + "/custom-domains"


@routes.read(ONE + "/settings", permission="settings.read", answer=wire.SettingsOut)
def show_settings(call: Call[None], organizations: Organizations) -> Answer:
    """Show how your organization counts and writes: time zone, locale, currency, first day of the week."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    found = organizations.settings.show(call.tenant)
    return Answer(wire.settings(found), headers=etag(found.version))


@routes.write("PATCH", ONE + "/settings", permission="settings.write", body=wire.SettingsIn, answer=wire.SettingsOut)
def change_settings(call: Call[wire.SettingsIn], tx: Transaction, organizations: Organizations) -> Answer:
    """Change some settings of your organization; what is left out stays as it is."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    changed = organizations.settings.change(tx, call.body.changes(), call.expected_version())
    return Answer(wire.settings(changed), headers=etag(changed.version))


@routes.read(ONE + "/branding", permission="settings.read", answer=wire.BrandingOut)
def show_branding(call: Call[None], organizations: Organizations) -> Answer:
    """Show how your organization looks, and in which colour text is read on its colours."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    found = organizations.branding.show(call.tenant)
    return Answer(wire.branding(found), headers=etag(found.branding.version))


@routes.write("PUT", ONE + "/branding", permission="settings.write", body=wire.BrandingIn, answer=wire.BrandingOut)
def put_branding(call: Call[wire.BrandingIn], tx: Transaction, organizations: Organizations) -> Answer:
    """Say how your organization looks; log-in pages show it within a minute."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    kept = organizations.branding.put(tx, call.body.branding(), call.expected_version())
    return Answer(wire.branding(kept), headers=etag(kept.branding.version))


@routes.write("DELETE", ONE + "/branding", permission="settings.write", status=204)
def reset_branding(call: Call[None], tx: Transaction, organizations: Organizations) -> Answer:
    """Let your organization look as the platform does."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    organizations.branding.reset(tx)
    return Answer()


@routes.read(DOMAINS, permission="settings.read", answer=wire.CustomDomainsOut)
def custom_domains(call: Call[None], organizations: Organizations) -> Answer:
    """List the hosts at which your organization is found: its subdomain, and domains of its own."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    hosts = organizations.custom_domains
    items = [wire.domain(one) for one in hosts.all(call.tenant)]
    return Answer({"subdomain": hosts.subdomain(call.tenant), "items": items})


@routes.write(
    "POST",
    DOMAINS,
    permission="settings.write",
    body=wire.CustomDomainIn,
    answer=wire.CustomDomainOut,
    status=201,
    recent=True,
)
def add_custom_domain(call: Call[wire.CustomDomainIn], tx: Transaction, organizations: Organizations) -> Answer:
    """Claim a host of your own, as many as your plan has; put the challenge into its DNS, then verify it."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    return Answer(wire.domain(organizations.custom_domains.add(tx, call.body.domain)))


@routes.act(
    "POST",
    DOMAINS + "/{host}/verify",
    permission="settings.write",
    answer=wire.CustomDomainOut,
    recent=True,
    fails=(409,),
    need=Need.READ,
)
def verify_custom_domain(call: Call[None], organizations: Organizations) -> Answer:
    """Look for the challenge in DNS; with it, your organization is found at the host. It is looked for once.

    An organization that is read-only can still show that a host it holds is its own.
    Where another organization has verified the host before, it is told, and keeps it while its own challenge is in DNS
    too; else the host is yours when you verify it again after three days (409 `domain-contested` says when).
    """
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    return Answer(wire.domain(organizations.custom_domains.verify(call.tenant, call.path["host"])))


@routes.write("DELETE", DOMAINS + "/{host}", permission="settings.write", status=204, recent=True)
def remove_custom_domain(call: Call[None], tx: Transaction, organizations: Organizations) -> Answer:
    """Let a host go; your organization is not found there any more."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    organizations.custom_domains.remove(tx, call.path["host"])
    return Answer()


@routes.read(
    "/api/v1/public/organization", proof=Proof.PUBLIC, query=wire.HostQuery, answer=wire.PlaceOut, fails=(404, 429)
)
def at_host(call: Call[None], organizations: Organizations) -> Answer:
    """Tell a log-in page whose it is: the organization at a subdomain or a verified domain, and how it looks."""
    query: wire.HostQuery = call.query
    found = organizations.lookup.find(query.host, call.source_ip)
    return Answer(wire.place(found), headers={"cache-control": "public, max-age=60"})
