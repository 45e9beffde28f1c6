"""The runbook's redrive, on the deployed queues."""

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
    wait_for("the first run", lambda: acme.api.get(f"/api/v1/jobs/runs/{run}")["status"] == "done")
    dead = queues.get_queue_url(QueueName="rmap-local-refreshes-dlq")["QueueUrl"]
    body = f'{{"tenant":"{acme.organization}","id":"{uuid4()}","kind":"refresh-performance","data":{{}}}}'
    queues.send_message(QueueUrl=dead, MessageBody=body)
    assert show(queues, "refreshes") == 1
    assert acme.organization in capsys.readouterr().out
    assert redrive(queues, "refreshes") == 1
    assert redrive(queues, "refreshes") == 0
