"""How many independent copies the copies of clusters are worth."""

import pytest

from monitor.judge.rates import effective, effective_total


def test_twelve_copies_of_one_cluster_are_worth_five() -> None:
    assert effective(12) == pytest.approx(5.17, abs=0.01)


def test_copies_of_different_clusters_add_up() -> None:
    assert effective_total([12, 1, 0]) == effective(12) + 1
