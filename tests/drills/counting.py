"""Processors' lives, each a process that takes counts from a queue, writes them and says so, until it is killed.

Apart from the drill, so that a process begins with little.
"""

import importlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import psycopg

AT_ONCE = 10


@dataclass(frozen=True)
class Work:
    """Where a processor finds what it needs."""

    queue: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class _Context:
    aws_request_id: str = "drill"


def live(work: Work) -> None:
    """Take, write, say so; as a mapping of SQS to a function does, for as long as one lives."""
    os.environ.update(work.environment)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123  a name and no file
        os.dup2(nowhere.fileno(), 1)  # what functions log there belongs to nobody's test
    sqs = boto3.client("sqs")
    entry = importlib.import_module("functions.sensors_processor.handler").handler
    while True:
        told = sqs.receive_message(QueueUrl=work.queue, MaxNumberOfMessages=AT_ONCE, AttributeNames=["All"])
        messages = told.get("Messages", [])
        if not messages:
            time.sleep(0.1)
            continue
        failed = _failed(entry, messages)
        for message in messages:
            if message["MessageId"] not in failed:
                sqs.delete_message(QueueUrl=work.queue, ReceiptHandle=message["ReceiptHandle"])


def _failed(entry: Callable[..., Any], messages: list[Any]) -> set[str]:
    records = [
        {"messageId": one["MessageId"], "body": one["Body"], "attributes": one.get("Attributes", {})}
        for one in messages
    ]
    try:
        answer = entry({"Records": records}, _Context())
    except psycopg.Error:
        return {one["messageId"] for one in records}
    return {one["itemIdentifier"] for one in answer["batchItemFailures"]}
