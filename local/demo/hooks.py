"""One path of the webhook receiver, and what arrives there from now on."""

import json
import urllib.request
from typing import Any

from local.demo.api import wait_for
from local.demo.tenants import SignedIn

_PAGE = 200


class Listener:
    """Hears what a path of the receiver is sent after this moment, however much was sent before."""

    def __init__(self, receiver: str, name: str) -> None:
        self._receiver = receiver
        self._name = name
        newest = _send(f"{receiver}/", "GET")["requests"]
        self._after = int(newest[0]["id"]) if newest else 0
        self._verified: list[dict[str, Any]] = []

    def subscribe(self, tenant: SignedIn, description: str) -> str:
        """Have the tenant's campaign events sent here, with a new secret; answers the endpoint's id."""
        url = f"{self._receiver}/hooks/{self._name}"
        for old in tenant.api.get("/api/v1/webhooks/endpoints?limit=200")["items"]:
            if old["url"] == url:
                tenant.api.call("DELETE", f"/api/v1/webhooks/endpoints/{old['id']}")
        body = {"url": url, "description": description, "event_types": ["campaign.*"]}
        endpoint = tenant.api.post("/api/v1/webhooks/endpoints", body)
        _send(f"{self._receiver}/_control/paths/{self._name}", "PUT", {"secret": endpoint["secret"]})
        return str(endpoint["id"])

    def hear(self, kind: str, subject: str) -> dict[str, Any]:
        """The event of this type about this thing, as soon as it is here with a signature that verifies."""
        return dict(wait_for(f"the webhook {kind}", lambda: self._heard(kind, subject)))

    def _heard(self, kind: str, subject: str) -> dict[str, Any] | None:
        self._listen()
        wanted = (kind, subject)
        return next((body for body in self._verified if (body["type"], body["data"].get("id")) == wanted), None)

    def _listen(self) -> None:
        """Read on from the last request that was read, to the end."""
        address = f"{self._receiver}/requests?path=/hooks/{self._name}&limit={_PAGE}"
        while found := _send(f"{address}&after={self._after}", "GET")["requests"]:
            self._after = found[-1]["id"]
            self._verified += [json.loads(request["body"]) for request in found if request["verified"]]


def _send(url: str, method: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "accept": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  the receiver is ours, on loopback
        return json.loads(response.read() or b"null")
