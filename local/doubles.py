"""The servers of our own: the stand-ins and the webhook receiver, and the Stripe stand-in's registration."""

import http.client
import json
import sys
from typing import Any
from urllib.parse import urlencode

from local.instance import ROOT, Instance, write_json
from local.ports import HOST
from local.processes import Server, minimal_environment

EVENTS_PATH = "/api/v1/stripe/events"
_OK = 200


def stripe_server(instance: Instance, port: int, api_key: str) -> Server:
    """The Stripe stand-in; its key is handed over in a file, not on the command line."""
    key = instance.state / "stripe.key"
    if instance.state.exists() and (not key.exists() or key.read_text() != api_key):
        key.touch(mode=0o600)
        key.write_text(api_key)
    return _server(instance, "stripe", port, "--api-key-file", str(key))


def receiver_server(instance: Instance, port: int) -> Server:
    """The webhook receiver."""
    return _server(instance, "receiver", port)


def outside_server(instance: Instance, port: int) -> Server:
    """DNS and the list of breached passwords."""
    return _server(instance, "outside", port)


def _server(instance: Instance, name: str, port: int, *more: str) -> Server:
    state = str(instance.state / f"{name}.db")
    environment = {**minimal_environment(instance.folder), "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    return Server(
        name=name,
        instance=instance,
        command=[sys.executable, "-m", f"local.{name}", "--port", str(port), "--state", state, *more],
        healthy=lambda: _healthy(port),
        environment=environment,
        stop_seconds=15,
    )


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/_health")
        return connection.getresponse().status == _OK
    except OSError:
        return False
    finally:
        connection.close()


def register_webhook(instance: Instance, port: int, api_key: str, api_url: str) -> str:
    """Have the stand-in send its events to the API, once; the signing secret."""
    url, kept = api_url + EVENTS_PATH, instance.state / "stripe.webhook.json"
    known = {found["id"]: found for found in _call(port, api_key, "GET", "/v1/webhook_endpoints?limit=100")["data"]}
    written: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    if written.get("id") in known:
        if known[written["id"]]["url"] != url:
            _call(port, api_key, "POST", f"/v1/webhook_endpoints/{written['id']}", {"url": url})
        return str(written["secret"])
    made = _call(port, api_key, "POST", "/v1/webhook_endpoints", {"url": url, "enabled_events[]": "*"})
    write_json(kept, {"id": made["id"], "secret": made["secret"]})
    return str(made["secret"])


def _call(port: int, api_key: str, method: str, path: str, form: dict[str, str] | None = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, urlencode(form or {}), headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    if "error" in answer:
        raise RuntimeError(f"the Stripe stand-in refused {method} {path}: {answer['error']}")
    return answer
