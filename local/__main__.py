"""`python -m local up|down|status|logs [--instance NAME]`."""

import argparse
import subprocess
import sys

from local import stack
from local.demo import main as do_the_main_job
from local.errors import LocalError
from local.instance import MAIN, Instance
from local.progress import Progress

INTERRUPTED = 130


def main() -> int:
    """Run one command; 0 if it did what was asked."""
    parser = argparse.ArgumentParser(prog="python -m local", description="The local cloud of RMAP.")
    parser.add_argument("command", choices=("up", "down", "status", "logs"))
    parser.add_argument("server", nargs="?", help="for logs: aws, postgres, stripe, receiver or deploy")
    parser.add_argument("--instance", default=MAIN, help="which local cloud (main unless told)")
    parser.add_argument("--no-demo", action="store_true", help="for up: leave out what the demo shows")
    options = parser.parse_intermixed_args()
    try:
        instance = Instance.of(options.instance)
        if options.command == "up":
            return _up(instance, demo=not options.no_demo)
        if options.command == "down":
            return _down(instance)
        if options.command == "status":
            return _status(instance)
        return _logs(instance, options.server)
    except LocalError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; what was started keeps running. `make down` stops it.", file=sys.stderr)
        return INTERRUPTED


def _up(instance: Instance, *, demo: bool) -> int:
    progress = Progress()
    running = stack.start(instance, progress=progress, wait=False)
    shown = do_the_main_job(instance) if demo else 0
    progress.say()
    for name, value in (
        ("API", running.api_url),
        ("Interactive API page", running.docs_url),
        ("Webhook receiver", running.webhook_receiver_url),
        ("Stripe stand-in", running.stripe_url),
        ("AWS endpoint", running.aws_endpoint_url),
        ("Everything else", str(instance.description)),
    ):
        progress.say(f"  {name:<22}{value}")
    progress.say(f"\n  Up after {progress.seconds:.1f} s; `make down` stops it and keeps all data.")
    return shown


def _down(instance: Instance) -> int:
    progress = Progress()
    ran = stack.stop(instance, progress=progress, wait=False)
    progress.say("Stopped; all data is kept." if ran else "Nothing was running.")
    return 0


def _status(instance: Instance) -> int:
    """0 when everything answers, 3 when something does not."""
    servers = stack.status(instance)
    for name, pid, port, answers in servers:
        told = f"process {pid}, port {port}" if pid else "down"
        print(f"{name:<10}{told}{'' if answers or not pid else ', does not answer'}")
    if not servers:
        print("Never started; `make up` does.")
    return 0 if servers and all(answers for *_, answers in servers) else 3


def _logs(instance: Instance, server: str | None) -> int:
    logs = sorted(instance.logs.glob(f"{server or '*'}.log"))
    if not logs:
        raise LocalError(
            f"There is no log of {server or 'any server'} yet.", "start the local cloud with `make up` first."
        )
    return subprocess.run(["tail", "-n", "100", *map(str, logs)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
