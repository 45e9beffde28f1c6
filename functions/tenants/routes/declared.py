"""What all of them share."""

from dataclasses import dataclass

from shared.identity.service.invitations import Invitations
from shared.identity.service.members import Members
from shared.identity.service.providers import Providers
from shared.identity.service.roles import Roles
from shared.life.service import Life
from shared.places.service.branding import Brandings
from shared.places.service.domains import CustomDomains
from shared.places.service.lookup import Lookup
from shared.places.service.settings import PlaceSettings
from shared.plans.service import Grants, Plans
from shared.tenants.service import Tenants
from tenant_context.flags import Flags, Shelf
from tenant_context.postgres import Database
from tenant_context.routing import Routes

routes = Routes()


@dataclass(frozen=True, slots=True)
class Organizations:
    """What the routes use."""

    tenants: Tenants
    members: Members
    roles: Roles
    providers: Providers
    url: str
    """Of the API."""
    invitations: Invitations
    settings: PlaceSettings
    branding: Brandings
    custom_domains: CustomDomains
    lookup: Lookup
    plans: Plans
    life: Life
    grants: Grants
    flags: Flags
    flag_shelf: Shelf
    database: Database
    """For what operators do, each in the tenant concerned."""


ONE = "/api/v1/organizations/{organization_id}"
