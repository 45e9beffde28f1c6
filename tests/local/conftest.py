"""Fixtures: processes that end with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
