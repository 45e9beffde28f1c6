"""Fixtures: processes and instances that end with their test."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def new_instance() -> Iterator[Instance]:
    """An instance with a home of its own; it borrows the endpoint's environment, which takes time to install.

    Not below pytest's folder: PostgreSQL's own user has to pass through, and another session would close it.
    """
    shared = Instance.of(TEST)
    Cloud(shared, 0).prepare()
    with tempfile.TemporaryDirectory(prefix="rmap-drill-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        (home / "cloud-venv").symlink_to(shared.home / "cloud-venv")
        made = Instance.of("drill", home)
        made.make_folders()
        yield made
        stack.stop(made)


@pytest.fixture
def instance() -> Iterator[Instance]:
    """An instance of one test."""
    with new_instance() as made:
        yield made


@pytest.fixture(scope="module")
def shared_instance() -> Iterator[Instance]:
    """An instance of one module's tests, which leave it able to start again."""
    with new_instance() as made:
        yield made
