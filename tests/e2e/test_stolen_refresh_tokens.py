"""A refresh token that comes back after it was replaced, at the deployed platform: the family ends, and it is told."""

import json
from typing import Any

import jwt

from infra.settings import STAGES
from local.demo.api import wait_for
from local.stack import Stack
from tests.e2e.conftest import SOON, Reply, Wire, newcomer

GRACE = 10.0


def posted(url: str, path: str, body: dict[str, Any]) -> Reply:
    return Wire(url).send("POST", path, json.dumps(body).encode(), content_type="application/json")


def refreshed(url: str, token: str) -> Reply:
    return posted(url, "/api/v1/auth/refresh", {"refresh_token": token})


def let_pass(stack: Stack, session: str, seconds: float) -> None:
    """As if the session's last refresh had been so much earlier."""
    client, name = stack.client("dynamodb"), STAGES["local"].named("sessions")
    try:
        key = {"pk": {"S": f"session#{session}"}, "sk": {"S": "session"}}
        rotated_at = float(client.get_item(TableName=name, Key=key)["Item"]["rotated_at"]["S"])
        client.update_item(
            TableName=name,
            Key=key,
            UpdateExpression="SET rotated_at = :earlier",
            ExpressionAttributeValues={":earlier": {"S": str(rotated_at - seconds)}},
        )
    finally:
        client.close()


def test_the_token_just_replaced_ends_the_family_after_ten_seconds_and_the_admins_hear_of_it(stack: Stack) -> None:
    owner = newcomer(stack.api_url, "stolen")
    url, user = stack.api_url, owner.user
    stolen = posted(url, "/api/v1/auth/login", {"email": user.email, "password": user.password}).json
    session = jwt.decode(stolen["access_token"], options={"verify_signature": False})["sid"]
    living = refreshed(url, stolen["refresh_token"]).json
    again = refreshed(url, stolen["refresh_token"])
    assert (again.status, again.json["refresh_token"]) == (200, living["refresh_token"]), "within ten seconds"
    let_pass(stack, session, GRACE + 1)
    refused = refreshed(url, stolen["refresh_token"])
    assert (refused.status, refused.json["code"]) == (401, "session-ended")
    assert refreshed(url, living["refresh_token"]).status == 401
    wire = Wire(url, living["access_token"])
    wait_for("the end", lambda: wire.send("GET", "/api/v1/campaigns").status == 401, seconds=SOON)
    audit = Wire(url, owner.token).send("GET", f"/api/v1/organizations/{owner.organization}/audit").json["items"]
    (told,) = [entry for entry in audit if entry["action"] == "security.refresh_token_reused"]
    assert session in json.dumps(told)
