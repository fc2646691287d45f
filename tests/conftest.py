"""Fixtures for every room: a clock that stands still, and the lab that runs by it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from monitor.core.clock import ManualClock
from monitor.lab.lab import Lab
from monitor.lab.scenario import Scenario


@pytest.fixture
def clock() -> ManualClock:
    """Monday, 2 March 2026, 08:00 UTC, until the test moves it."""
    return ManualClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))


@pytest.fixture
def lab(clock: ManualClock) -> Iterator[Lab]:
    """All eight providers, healthy; no mailboxes yet."""
    with Lab(Scenario.bundled("quiet"), clock=clock, seed=1) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that no processor waits for one of them at the end."""
    first = ("test_demo", "test_kill_line", "test_stranger", "test_kill")
    rank = {name: place for place, name in enumerate(first)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))
