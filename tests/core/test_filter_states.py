"""One public word for a provider's filter, from enough senders or not at all."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.filter_states import (
    Cell,
    FilterState,
    Finding,
    block_before,
    judged,
    pooled,
)

DAY = datetime(2026, 3, 2, tzinfo=UTC)


def cell(*lost: int, copies: int = 10) -> Cell:
    """Each sender's lost copies, of ten."""
    return pooled([(copies, bad, copies / 2) for bad in lost])


def say(found: Cell, before: list[float] | None = None) -> Finding:
    return judged("Gmail", found, [], before or [])


@pytest.mark.parametrize(
    ("hours", "block"), [(0.5, -12), (1, -6), (6.9, -6), (7, 0), (12.5, 0), (13, 6), (23, 12)]
)
def test_a_block_is_told_once_it_is_over_and_settled(hours: float, block: int) -> None:
    assert block_before(DAY + timedelta(hours=hours)) == DAY + timedelta(hours=block)


def test_fewer_than_five_senders_tell_nothing_at_all() -> None:
    assert cell(0, 0, 0, 10) == Cell()
    assert say(cell(10, 10, 10, 10)).state is FilterState.UNKNOWN
    assert cell(0, 0, 0, 0, 0).senders == 5


def test_no_sender_outweighs_the_others() -> None:
    one_is_large = pooled([(1000, 1000, 300.0), *[(4, 0, 3.0)] * 4])
    assert one_is_large.lost == pytest.approx(0.2)
    assert one_is_large.n == 1016
    assert one_is_large.n_eff < 25


def test_the_state_follows_what_is_lost_and_what_is_usual() -> None:
    assert say(cell(0, 0, 1, 0, 0, 0)).state is FilterState.NORMAL
    assert say(cell(6, 7, 8, 6, 7, 9)).state is FilterState.DEGRADED
    assert say(cell(6, 7, 8, 6, 7, 9), [0.7] * 8).state is FilterState.NORMAL
    assert say(cell(6, 7, 8, 6, 7, 9), [0.7] * 3).state is FilterState.DEGRADED


def test_a_loss_that_may_be_chance_is_called_unknown_and_not_normal() -> None:
    assert say(cell(0, 0, 2, 1, 0, copies=2)).state is FilterState.UNKNOWN
