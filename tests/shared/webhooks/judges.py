"""Two judges of deliveries that share no code with the sender: Python's and Node's reference libraries."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

PROGRAM = Path(__file__).with_name("judge.mjs")


def by_node(*deliveries: Mapping[str, Any]) -> list[str]:
    """What Node says of deliveries, each with `secret` or `public_key`, `headers` and `body`: why not, or nothing."""
    given = json.dumps(deliveries)
    done = subprocess.run(["node", PROGRAM], input=given, capture_output=True, text=True, check=True, timeout=60)  # noqa: S607
    verdicts: list[str] = json.loads(done.stdout)
    return verdicts


def by_python(secret: str, headers: Mapping[str, str], body: str) -> str:
    """The same by Python's library, which knows symmetric signatures."""
    try:
        Webhook(secret).verify(body, dict(headers))
    except WebhookVerificationError as error:
        return str(error)
    return ""


def accepted(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> bool:
    """Whether both judges accept a delivery, by each of the secrets."""
    text = body.decode()
    cases = [{"secret": secret, "headers": dict(headers), "body": text} for secret in secrets]
    return not any([*by_node(*cases), *(by_python(secret, headers, text) for secret in secrets)])
