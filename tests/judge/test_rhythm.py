"""Weekdays: what is usual on a Monday, and how that is learnt."""

import json

import pytest

from monitor.judge.baseline import Baseline, Rhythm, logit

DAY_H = 24.0


def week_of(rhythm: Rhythm, day: int, lost: float, *, weeks: int = 4) -> None:
    """Twenty clusters every day; on *day* of the week a share *lost*, else a tenth.

    Usual is what all days lose together.
    """
    usual = (lost + 6 * 0.1) / 7
    for number in range(weeks * 7):
        for _ in range(20):
            share = lost if number % 7 == day else 0.1
            rhythm.learn("yahoo", number * DAY_H + 12, share, usual, 1.0)


def test_a_bad_weekday_becomes_usual_on_that_day_alone() -> None:
    rhythm = Rhythm()
    week_of(rhythm, 2, 0.4)

    shares = [rhythm.on("yahoo", (28 + day) * DAY_H + 12, 1 / 7) for day in range(7)]

    assert 0.3 < shares[2] < 0.4
    assert all(0.1 <= share < 0.12 for share in [*shares[:2], *shares[3:]])


def test_where_weekdays_differ_much_a_day_is_believed_sooner() -> None:
    calm, moody = Rhythm(), Rhythm()
    week_of(calm, 2, 0.15, weeks=2)
    week_of(moody, 2, 0.6, weeks=2)
    at = 16 * DAY_H + 12

    believed = [
        (logit(rhythm.on("yahoo", at, usual)) - logit(usual)) / (logit(lost) - logit(usual))
        for rhythm, lost, usual in ((calm, 0.15, 0.75 / 7), (moody, 0.6, 1.2 / 7))
    ]

    assert believed[0] < 0.7 < believed[1]


def test_what_all_days_lose_beyond_the_usual_is_no_weekday() -> None:
    rhythm = Rhythm()
    for number in range(28):
        for _ in range(20):
            rhythm.learn("yahoo", number * DAY_H + 12, 0.2, 0.1, 1.0)

    assert rhythm.on("yahoo", 28 * DAY_H + 12, 0.1) == pytest.approx(0.1)


def test_a_bad_weekday_shifts_every_senders_odds_alike() -> None:
    rhythm = Rhythm()
    week_of(rhythm, 2, 0.4)
    at = 30 * DAY_H + 12

    assert rhythm.on("yahoo", at, 0.01) < 0.06
    assert 0.8 < rhythm.on("yahoo", at, 0.6) < 1


def test_a_days_own_mail_does_not_change_what_is_usual_on_it() -> None:
    rhythm = Rhythm()
    week_of(rhythm, 2, 0.1)
    at = 30 * DAY_H + 1
    for hour in range(20):
        rhythm.learn("yahoo", at + hour, 0.9, 0.1, 1.0)

    assert rhythm.on("yahoo", at + 21, 0.1) == pytest.approx(0.1)


def test_an_unknown_provider_has_no_weekdays() -> None:
    assert Rhythm().on("gmx", 5.0, 0.3) == 0.3


def test_weekdays_are_kept_exactly() -> None:
    baseline = Baseline()
    baseline.learn("a", "yahoo", 1.0, 10.0, 5.0)
    week_of(baseline.rhythm, 3, 0.3)

    kept = json.loads(json.dumps(baseline.snapshot()))

    assert Baseline.restore(kept).snapshot() == baseline.snapshot()
