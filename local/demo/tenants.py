"""The demo's two tenants: signed up at the first run, logged in at every later one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local.demo.api import Api, ApiError, wait_for

_UNAUTHENTICATED = 401


@dataclass(frozen=True)
class DemoUser:
    """Somebody to log in as."""

    organization: str
    slug: str
    name: str
    email: str
    password: str
    plan: str = "starter"

    def shown(self) -> dict[str, str]:
        """As `.rmap/local.json` tells it."""
        return {"tenant": self.slug, "email": self.email, "password": self.password}


DEMO_USERS = (
    DemoUser("Acme Stores", "demo-acme", "Ada of Acme", "ada@acme.example", "demo-acme-password"),
    DemoUser("Globex Retail", "demo-globex", "Gus of Globex", "gus@globex.example", "demo-globex-password"),
)


@dataclass(frozen=True)
class SignedIn:
    """A user with a token."""

    user: DemoUser
    api: Api
    organization: str
    token: str


def meet(url: str, user: DemoUser) -> bool:
    """Sign a user up unless they did before; whether they did it now."""
    if _is_known(url, user):
        return False
    sign_up(url, user)
    return True


def sign_up(url: str, user: DemoUser) -> None:
    """Sign a user up with an organization of their own."""
    body = {
        "email": user.email,
        "password": user.password,
        "name": user.name,
        "organization": {"name": user.organization, "slug": user.slug, "plan": user.plan},
    }
    Api(url).post("/api/v1/auth/signup", body)


def _is_known(url: str, user: DemoUser) -> bool:
    try:
        log_in(url, user)
    except ApiError as error:
        if error.status == _UNAUTHENTICATED:
            return False
        raise
    return True


def log_in(url: str, user: DemoUser) -> SignedIn:
    """A fresh token for a user."""
    answer: dict[str, Any] = Api(url).post(
        "/api/v1/auth/login", {"email": user.email, "password": user.password, "organization": user.slug}
    )
    token = answer["access_token"]
    return SignedIn(user, Api(url, token=token), answer["organization"]["id"], token)


def device_key(tenant: SignedIn, name: str) -> Api:
    """The API as a device sees it, with a key that may push and nothing else."""
    made = tenant.api.post("/api/v1/api-keys", {"name": name, "scopes": ["ingest.write"]})
    return Api(tenant.api.url, key=made["key"])


@contextmanager
def device(tenant: SignedIn, name: str) -> Iterator[Api]:
    """The same with a key that is revoked when the device is done, as are keys of its name that were left behind."""
    _revoke(tenant, name)
    try:
        yield device_key(tenant, name)
    finally:
        _revoke(tenant, name)


def _revoke(tenant: SignedIn, name: str) -> None:
    for key in tenant.api.get("/api/v1/api-keys")["items"]:
        if key["name"] == name and not key["revoked"]:
            tenant.api.call("DELETE", f"/api/v1/api-keys/{key['prefix']}")


def find(tenant: SignedIn, collection: str, field: str, value: Any) -> dict[str, Any] | None:
    """The first thing of a collection whose field has the value."""
    cursor: str | None = ""
    while cursor is not None:
        page = tenant.api.get(f"/api/v1/{collection}?limit=200{cursor}")
        for item in page["items"]:
            if item[field] == value:
                return dict(item)
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    return None


def find_or_make(tenant: SignedIn, collection: str, field: str, body: dict[str, Any]) -> dict[str, Any]:
    """The thing of a collection whose field has the body's value, or a new one."""
    return find(tenant, collection, field, body[field]) or dict(tenant.api.post(f"/api/v1/{collection}", body))


def know_devices(tenant: SignedIn) -> None:
    """Have the ingest door know again what PostgreSQL does: a local endpoint that was killed forgets its tables."""
    run = tenant.api.post("/api/v1/jobs/rebuild-directory/run")["id"]
    wait_for("the directory of devices", lambda: tenant.api.get(f"/api/v1/jobs/runs/{run}")["status"] == "done")
