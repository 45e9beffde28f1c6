"""Ports: remembered per instance, because the deployed functions know them."""

import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from local.errors import LocalError
from local.instance import MAIN, Instance, read_json, write_json

HOST = "127.0.0.1"
AWS = 4566
_HELPERS = {"database": 54_329, "stripe": 8_420, "receiver": 8_430, "outside": 8_440}
_SEARCH = 200


@dataclass(frozen=True)
class Ports:
    """The port of each server."""

    aws: int
    database: int
    stripe: int
    receiver: int
    outside: int = 0
    """Zero in what an earlier release remembered: chosen at the next start."""


def choose(instance: Instance, running: dict[str, bool]) -> Ports:
    """The instance's ports: as last time where they are free or its own servers hold them.

    The AWS endpoint's port is part of the API's address, so it never moves by itself: RMAP_PORT sets it (4566).
    The others take the next free port. Instances other than main take any free ports the first time.

    Args:
        instance: Whose ports.
        running: Which of the servers are up already, by the names of `Ports`.
    """
    before = {name: port for name, port in read_json(_file(instance)).items() if isinstance(port, int)}
    chosen = {"aws": _aws(instance, before.get("aws"), running.get("aws", False))}
    for name, default in _HELPERS.items():
        wanted = before.get(name) or (default if instance.name == MAIN else free())
        chosen[name] = wanted if running.get(name) else _next_free(wanted, set(chosen.values()))
    ports = Ports(**chosen)
    if asdict(ports) != before:
        write_json(_file(instance), asdict(ports))
    return ports


def remembered(instance: Instance) -> Ports | None:
    """The ports of the last start."""
    before = read_json(_file(instance))
    try:
        return Ports(**before)
    except TypeError:
        return None


def _file(instance: Instance) -> Path:
    return instance.folder / "ports.json"


def _aws(instance: Instance, before: int | None, running: bool) -> int:  # noqa: FBT001
    asked = os.environ.get("RMAP_PORT") if instance.name == MAIN else None
    if asked is not None and not (asked.isdigit() and 0 < int(asked) < 65_536):  # noqa: PLR2004
        raise LocalError(f"RMAP_PORT={asked} is no port.", "give a number from 1024 to 65535.")
    if running and before and (asked is None or int(asked) == before):
        return before
    port = int(asked) if asked else before or (AWS if instance.name == MAIN else free())
    if not is_free(port):
        raise LocalError(
            f"Port {port}, which the local API is to listen on, is in use by {holder(port)}.",
            f"stop that process, or choose another port: `RMAP_PORT={_next_free(port + 1, set())} make up`.",
        )
    return port


def free() -> int:
    """Any free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _next_free(port: int, taken: set[int]) -> int:
    for candidate in range(port, min(port + _SEARCH, 65_536)):
        if candidate not in taken and is_free(candidate):
            return candidate
    return free()


def holder(port: int) -> str:
    """Who listens on a port, as far as this user may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    break
                process = psutil.Process(connection.pid)
                return f"{process.name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return "another process"
