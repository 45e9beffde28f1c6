"""The route table: which function answers which method and path."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from local.stripe.account import Account
from local.stripe.errors import StripeError
from local.stripe.params import Params
from local.stripe.store import Obj

_NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Call:
    """One request as endpoints see it: ids from the path, parameters from query or form."""

    account: Account
    path: str
    ids: dict[str, str]
    params: Params

    @property
    def id(self) -> str:
        """The id in the path."""
        return self.ids["id"]


Endpoint = Callable[[Call], Obj]
_ROUTES: list[tuple[str, re.Pattern[str], Endpoint]] = []


def route(method: str, path: str) -> Callable[[Endpoint], Endpoint]:
    """Register an endpoint; `{id}` in the path becomes `call.ids["id"]`."""
    pattern = re.compile("^" + _NAME.sub(r"(?P<\1>[^/]+)", path) + "$")

    def register(endpoint: Endpoint) -> Endpoint:
        _ROUTES.append((method, pattern, endpoint))
        return endpoint

    return register


def match(method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
    """The endpoint and path ids, or Stripe's answer to an unknown address."""
    for known, pattern, endpoint in _ROUTES:
        found = pattern.match(path)
        if found and known == method:
            return endpoint, found.groupdict()
    raise StripeError(f"Unrecognized request URL ({method}: {path}).", status=404)
