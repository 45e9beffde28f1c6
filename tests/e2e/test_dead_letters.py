"""The runbook's redrive, on the deployed queues."""

import json
from typing import Any
from uuid import uuid4

import pytest

from local.dead_letters import redrive, show
from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from local.stack import Stack


def test_a_dead_letter_goes_back_to_work_and_is_done(
    stack: Stack, acme: SignedIn, capsys: pytest.CaptureFixture[str]
) -> None:
    queues = stack.client("sqs")
    run = acme.api.post("/api/v1/jobs/refresh-performance/run")["id"]

    def shown() -> Any:
        return acme.api.get(f"/api/v1/jobs/runs/{run}")

    wait_for("the first run", lambda: shown()["status"] == "done")
    before = shown()["finished_at"]
    dead = queues.get_queue_url(QueueName="rmap-local-refreshes-dlq")["QueueUrl"]
    # The run's own message once more: nothing but this message says again when the run was finished.
    body = {"tenant": acme.organization, "id": str(uuid4()), "kind": "refresh-performance", "data": {"run": run}}
    queues.send_message(QueueUrl=dead, MessageBody=json.dumps(body))
    assert show(queues, "refreshes") == 1
    assert acme.organization in capsys.readouterr().out
    assert shown()["finished_at"] == before
    assert redrive(queues, "refreshes") == 1
    wait_for("its work", lambda: shown()["finished_at"] != before)
    assert redrive(queues, "refreshes") == 0
