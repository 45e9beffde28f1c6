"""Fixtures: processes and instances that end with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import stack
from local.cloud import Cloud
from local.instance import TEST, Instance
from tests.local.harness import Service, StandIn


@pytest.fixture
def service() -> Iterator[Service]:
    started = Service()
    yield started
    started.stop_all()


@pytest.fixture
def stand_in(service: Service, tmp_path: Path) -> StandIn:
    return StandIn(service, tmp_path)


@pytest.fixture
def start_receiver(service: Service, tmp_path: Path) -> Callable[[], str]:
    return lambda: service.start("local.receiver", "--state", str(tmp_path / "receiver.db")).url


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    """An instance with a home of its own; it borrows the endpoint's environment, which takes time to install."""
    shared = Instance.of(TEST)
    Cloud(shared, 0).prepare()
    home = tmp_path / "home"
    home.mkdir()
    (home / "cloud-venv").symlink_to(shared.home / "cloud-venv")
    made = Instance.of("drill", home)
    made.make_folders()
    yield made
    stack.stop(made)
