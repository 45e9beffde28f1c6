"""What tests of functions around Stripe need: a secret, a queue, a handler wired as in Lambda."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.stack import Stack
from tenant_context import secrets
from tenant_context.settings import DatabaseSettings
from tests.local.harness import API_KEY

EVENTS = Path(__file__).parents[3] / "events"
WEBHOOK_SECRET = "whsec_of_the_tests"
Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


def sample(place: str) -> dict[str, Any]:
    """A sample trigger event."""
    found: dict[str, Any] = json.loads((EVENTS / place).read_text())
    return found


class Context:
    """The part of Lambda's context that the kernel reads."""

    aws_request_id = "test-invocation"


def load(function: str, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Handler:
    """The function's handler, imported anew with this environment."""
    for name, value in {"RMAP_STAGE": "test", "RMAP_VERSION": "1.2.3", **environment}.items():
        monkeypatch.setenv(name, value)
    sys.modules.pop(f"functions.{function}.handler", None)
    handler: Handler = importlib.import_module(f"functions.{function}.handler").handler
    return handler


def database_environment(settings: DatabaseSettings) -> dict[str, str]:
    """The variables by which a function finds a database."""
    return {f"RMAP_DATABASE_{name.upper()}": str(value) for name, value in asdict(settings).items()}


@contextmanager
def secret_of(servers: Stack, value: str) -> Iterator[str]:
    """A secret of this test, by its name."""
    client = servers.client("secretsmanager")
    name = f"test/{uuid4().hex}"
    client.create_secret(Name=name, SecretString=value)
    yield name
    client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    secrets.forget_secrets()


def stripe_secret(servers: Stack) -> Any:
    """The secret that RMAP_STRIPE_SECRET names."""
    return secret_of(servers, json.dumps({"api_key": API_KEY, "webhook_secret": WEBHOOK_SECRET}))


class Inspected:
    """A queue of this test and what arrived in it."""

    def __init__(self, servers: Stack) -> None:
        self._client = servers.client("sqs")
        self.url: str = self._client.create_queue(QueueName=f"test-{uuid4().hex}")["QueueUrl"]

    def messages(self) -> list[dict[str, Any]]:
        """Everything that waits, taken out."""
        found: list[dict[str, Any]] = []
        while batch := self._client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                found.append(json.loads(message["Body"]))
                self._client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def remove(self) -> None:
        """Take the queue away."""
        self._client.delete_queue(QueueUrl=self.url)


@contextmanager
def queue_of(servers: Stack) -> Iterator[Inspected]:
    """A queue that ends with the test."""
    queue = Inspected(servers)
    yield queue
    queue.remove()
