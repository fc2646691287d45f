"""The beta-binomial and what is built on it."""

import math
from fractions import Fraction

import pytest

from monitor.judge.likelihood import (
    beta_binomial,
    first_look,
    log_add,
    mixed,
    removal,
    together,
)


def rising(start: Fraction, steps: int) -> Fraction:
    product = Fraction(1)
    for step in range(steps):
        product *= start + step
    return product


@pytest.mark.parametrize(("bad", "n"), [(0, 1), (1, 1), (0, 4), (2, 4), (4, 4), (7, 20)])
def test_a_sequence_has_the_probability_of_its_rising_factorials(bad: int, n: int) -> None:
    """Good rate 4/5 and correlation 1/9 make a total of 8: exact in fractions."""
    a, b = Fraction(8, 5), Fraction(32, 5)
    exact = rising(a, bad) * rising(b, n - bad) / rising(a + b, n)

    assert beta_binomial(bad, n, 0.8, 1 / 9) == pytest.approx(math.log(exact), abs=1e-9)


@pytest.mark.parametrize("n", [1, 4, 12])
def test_all_sequences_together_are_certain(n: int) -> None:
    total = sum(math.comb(n, k) * math.exp(beta_binomial(k, n, 0.9, 0.12)) for k in range(n + 1))

    assert total == pytest.approx(1.0)


def test_more_copies_of_one_cluster_say_ever_less() -> None:
    """Twenty seeds are no five times the evidence of four: they share one verdict."""
    four, twenty = (first_look(n, n, 0.95).bad - first_look(n, n, 0.95).normal for n in (4, 20))

    assert four < twenty < 2.5 * four


def test_one_bad_cluster_is_worth_no_more_than_its_own_failure_allows() -> None:
    assert first_look(20, 20, 0.98).loss() < math.log(1 / 0.03)


def test_a_lone_copy_says_little() -> None:
    assert abs(first_look(1, 1, 0.98).loss()) < 1.5


def test_a_cluster_that_fails_everywhere_says_nothing_about_one_provider() -> None:
    assert first_look(4, 4, 0.95).loss(0.999) < 0.1


def test_one_stray_copy_in_four_is_no_trouble() -> None:
    assert not first_look(1, 4, 0.9).is_bad


def test_copies_that_stay_are_normal_and_copies_removed_are_not() -> None:
    assert not removal(0, 4).is_bad
    assert removal(3, 4).is_bad


def test_half_lost_and_the_rest_removed_is_worse_than_half_lost() -> None:
    lost, gone = first_look(2, 4, 0.95), removal(2, 2)
    both = together(lost, gone)

    assert both.bad - both.normal > lost.bad - lost.normal


def test_sums_of_logarithms_neither_overflow_nor_vanish() -> None:
    assert log_add(-2000.0, -2000.0) == pytest.approx(-2000 + math.log(2))
    assert log_add(-math.inf, -math.inf) == -math.inf
    assert mixed(0.25, 0.0, 0.0) == pytest.approx(0.0)
