"""`python -m local.dead_letters [QUEUE] [--redrive]`: what the local dead-letter queues hold; back to work with it."""

import argparse
import sys
from typing import Any

from local import stack
from local.errors import LocalError
from local.instance import MAIN

_PREFIX, _SUFFIX = "rmap-local-", "-dlq"
_FED_BY_AWS = frozenset({"bus", "schedules"})
"""Dead letters of EventBridge itself: there is no queue to send them back to."""


def main() -> int:
    """List the queues, show one's messages, or send them back to the queue they came from."""
    parser = argparse.ArgumentParser(prog="python -m local.dead_letters", description=__doc__)
    parser.add_argument("queue", nargs="?", help="for example counts")
    parser.add_argument("--redrive", action="store_true", help="send its messages back to work")
    parser.add_argument("--instance", default=MAIN)
    options = parser.parse_args()
    try:
        queues = stack.start(options.instance, deploy=False).client("sqs")
        waiting = _waiting(queues)
        _check(options.queue, waiting, redrive=options.redrive)
    except LocalError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    if options.queue is None:
        for name, count in waiting.items():
            print(f"{name:<20}{count}")
        return 0
    moved = redrive(queues, options.queue) if options.redrive else show(queues, options.queue)
    print(f"{moved} message{'' if moved == 1 else 's'} {'sent back to work' if options.redrive else 'waiting'}")
    return 0


def _check(name: str | None, known: dict[str, int], *, redrive: bool) -> None:
    if name is None:
        if redrive:
            raise LocalError("No queue is named.", f"name one of {', '.join(known)}.")
        return
    if name not in known:
        raise LocalError(f"There is no queue {name!r}.", f"name one of {', '.join(known)}.")
    if redrive and name in _FED_BY_AWS:
        raise LocalError(
            f"What {name} could not hand over came from no queue.",
            "the next run of the schedule, or the outbox relay, does the work again.",
        )


def _waiting(queues: Any) -> dict[str, int]:
    found = {}
    for url in queues.list_queues(QueueNamePrefix=_PREFIX)["QueueUrls"]:
        if url.endswith(_SUFFIX):
            name = url.rpartition("/")[2].removeprefix(_PREFIX).removesuffix(_SUFFIX)
            told = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            found[name] = int(told["Attributes"]["ApproximateNumberOfMessages"])
    return found


def show(queues: Any, name: str) -> int:
    """Print the messages of a dead-letter queue and leave them there; answers how many."""
    url = queues.get_queue_url(QueueName=f"{_PREFIX}{name}{_SUFFIX}")["QueueUrl"]
    messages = _receive(queues, url)
    for message in messages:
        print(message["Body"])
        queues.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return len(messages)


def redrive(queues: Any, name: str) -> int:
    """Send every message back to its queue, and only then remove it from the dead letters; answers how many."""
    dead = queues.get_queue_url(QueueName=f"{_PREFIX}{name}{_SUFFIX}")["QueueUrl"]
    work = queues.get_queue_url(QueueName=f"{_PREFIX}{name}")["QueueUrl"]
    moved = 0
    while messages := _receive(queues, dead):
        for message in messages:
            queues.send_message(QueueUrl=work, MessageBody=message["Body"])
            queues.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def _receive(queues: Any, url: str) -> list[dict[str, Any]]:
    answer = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=30)
    return list(answer.get("Messages", []))


if __name__ == "__main__":
    sys.exit(main())
