"""The dead letters' command line: a wrong name is told, with the right ones."""

import subprocess
import sys

import pytest

from local.instance import TEST
from local.stack import Stack


def command(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments, "--instance", TEST], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nonsense",), "There is no queue 'nonsense'."),
        (("nonsense", "--redrive"), "There is no queue 'nonsense'."),
        (("--redrive",), "No queue is named."),
        (("schedules", "--redrive"), "came from no queue"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_way_out(
    stack: Stack, arguments: tuple[str, ...], sentence: str
) -> None:
    assert stack.aws_endpoint_url
    done = command("local.dead_letters", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert "Way out:" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_lists_every_queue(stack: Stack) -> None:
    assert stack.aws_endpoint_url
    done = command("local.dead_letters")
    assert {"counts", "transactions", "deliveries", "schedules"} <= {
        line.split()[0] for line in done.stdout.splitlines()
    }


def test_logs_of_one_server_of_one_instance(servers: Stack) -> None:
    assert servers.database_url
    done = subprocess.run(
        [sys.executable, "-m", "local", "logs", "--instance", TEST, "stripe"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "usage:" in done.stderr) == (0, False)
