"""Wires key_rotation, which a schedule calls, every deploy, and an operator in need.

`{}` does what is due; `{"rotate": true}` publishes the next key now; `{"rotate": "now"}` ends every key that signed
until now. The deploy's custom resource waits here for the first key, so that a fresh platform lets people log in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.signing.gateway import SigningKeys
from shared.signing.model import Times
from shared.signing.repository import RingRepository
from shared.signing.service import Rotation, Turned
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class RotationSettings(Settings):
    """What this function needs beside the common settings; times are seconds."""

    table_signing_keys: str
    table_revocations: str
    keys_rotate_after: int = 90 * 86_400
    keys_publish_for: int = 3600
    keys_overlap: int = 3600


kernel = Kernel("key_rotation")
settings = RotationSettings.load()
rotation = Rotation(
    RingRepository(Table(settings.table_signing_keys)),
    SigningKeys(kernel.settings.stage),
    Table(settings.table_revocations),
    Times(settings.keys_rotate_after, settings.keys_publish_for, settings.keys_overlap),
    kernel.clock,
    uuid7,
)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Turn the ring; an error is raised, and what was done until then stays done."""
    with kernel.observability.invocation(context.aws_request_id, "key_rotation") as invocation:
        invocation.success = False
        turned = _turn(event or {})
        told = _told(turned) if turned else {}
        invocation.keys.update(told)
        invocation.success = True
    if "RequestType" in event:
        return {"PhysicalResourceId": "rmap-key-ring"}
    return told


def _turn(event: Mapping[str, Any]) -> Turned | None:
    """What the caller wants, done; a stack that goes leaves its keys (the runbook says how they go too)."""
    if event.get("RequestType") == "Delete":
        return None
    match event.get("rotate", False):
        case False:
            return rotation.run()
        case True:
            return rotation.rotate()
        case "now":
            return rotation.end()
    raise ValueError('"rotate" is true or "now"')


def _told(turned: Turned) -> dict[str, Any]:
    keys = [{"kid": key.kid, "state": key.state.value, "algorithm": key.algorithm} for key in turned.ring.keys]
    return {"steps": [step.value for step in turned.steps], "keys": keys}
