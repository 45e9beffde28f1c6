"""The runbook's redrive, on the deployed queues."""

import json
from uuid import uuid4

import pytest

from local.dead_letters import redrive, show
from local.demo.api import ApiError, wait_for
from local.demo.tenants import SignedIn
from local.stack import Stack
from tenant_context.clock import uuid7
from tests.e2e.conftest import TIMED_WORK

NOT_FOUND = 404


def test_a_dead_letter_goes_back_to_work_and_is_done(
    stack: Stack, acme: SignedIn, capsys: pytest.CaptureFixture[str]
) -> None:
    queues = stack.client("sqs")
    run = str(uuid7())

    def is_done() -> bool:
        try:
            return bool(acme.api.get(f"/api/v1/jobs/runs/{run}")["status"] == "done")
        except ApiError as error:
            if error.status == NOT_FOUND:
                return False
            raise

    dead = queues.get_queue_url(QueueName="rmap-local-refreshes-dlq")["QueueUrl"]
    # A run that nothing but this message knows of.
    body = {"tenant": acme.organization, "id": str(uuid4()), "kind": "refresh-performance", "data": {"run": run}}
    queues.send_message(QueueUrl=dead, MessageBody=json.dumps(body))
    # A machine that is busy with other tests may have given others up.
    assert show(queues, "refreshes") >= 1
    assert run in capsys.readouterr().out
    assert not is_done()
    assert redrive(queues, "refreshes") >= 1
    wait_for("its work", is_done, seconds=TIMED_WORK)
    show(queues, "refreshes")
    assert run not in capsys.readouterr().out
