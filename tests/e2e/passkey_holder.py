"""A user of the deployed platform who has a device with passkeys."""

import json
from dataclasses import dataclass, field
from typing import Any

from local.demo.tenants import SignedIn
from tests.authenticator import Authenticator, Manner
from tests.e2e.conftest import Reply, Wire, newcomer

GOOD = Manner()
MFA, LOG_IN, STEP_UP = "/api/v1/auth/mfa/passkeys", "/api/v1/auth/login/passkey", "/api/v1/auth/step-up"


@dataclass
class Person:
    """A user with a device, and the token they hold."""

    url: str
    signed_in: SignedIn
    token: str
    device: Authenticator = field(default_factory=Authenticator)

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        raw = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"content_type": "application/json"}
        return Wire(self.url, self.token).send(method, path, raw, **kind, **headers)

    def begin(self) -> dict[str, Any]:
        """The question for a new passkey."""
        begun = self.send("POST", f"{MFA}/begin")
        assert begun.status == 200, begun.body
        answer: dict[str, Any] = begun.json
        return answer

    def enroll(self, manner: Manner = GOOD, name: str = "Laptop") -> Reply:
        begun = self.begin()
        body = {"ticket": begun["ticket"], "credential": self.device.create(begun["options"], manner), "name": name}
        return self.send("POST", MFA, body)

    def enrolled(self, name: str = "Laptop") -> dict[str, Any]:
        """Set a passkey up and go on with the better token."""
        reply = self.enroll(name=name)
        assert reply.status == 201, reply.body
        answer: dict[str, Any] = reply.json
        self.token = answer["access_token"]
        return answer

    def challenge(self) -> dict[str, Any]:
        """The password is given; a second step is asked for."""
        user = self.signed_in.user
        answer: dict[str, Any] = self.send(
            "POST", "/api/v1/auth/login", {"email": user.email, "password": user.password}
        ).json
        return answer

    def asked(self, challenge: str | None = None) -> dict[str, Any]:
        """The question to a passkey: of the log-in that waits, or of anybody."""
        reply = self.send("POST", f"{LOG_IN}/options", {"challenge": challenge} if challenge else {})
        assert reply.status == 200, reply.body
        answer: dict[str, Any] = reply.json
        return answer

    def answer(self, asked: dict[str, Any], manner: Manner = GOOD, **more: str) -> Reply:
        credential = self.device.get(asked["options"], manner)
        return self.send("POST", LOG_IN, {"ticket": asked["ticket"], "credential": credential, **more})

    def told(self, action: str) -> list[dict[str, Any]]:
        """What the admins read of it."""
        entries = self.send("GET", f"/api/v1/organizations/{self.signed_in.organization}/audit").json["items"]
        return [entry["details"] for entry in entries if entry["action"] == f"security.{action}"]


def somebody(url: str, device: Authenticator | None = None) -> Person:
    signed_in = newcomer(url, "passkeys")
    return Person(url, signed_in, signed_in.token, device or Authenticator())
