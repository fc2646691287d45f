"""The line for so many false alarms a year."""

import pytest

from monitor.core.incidents import Cause
from monitor.judge.claims import Claim
from monitor.judge.lines import MEASURED, Lines, nats

PROVIDER = Claim(Cause.PROVIDER, "gmail")
SENDER = Claim(Cause.SENDER, sender="a.example.org")


@pytest.mark.parametrize(("rate", "line"), MEASURED)
def test_the_line_goes_through_the_measured_points(rate: float, line: float) -> None:
    assert nats(rate) == pytest.approx(line)


def test_fewer_false_alarms_take_more_evidence() -> None:
    rates = [20.0, 6.0, 2.0, 1.0, 0.4, 0.25, 0.1, 0.01]
    found = [nats(rate) for rate in rates]

    assert found == sorted(found)


def test_six_a_year_at_six_providers_are_one_each() -> None:
    assert Lines(6.0, 6).of(PROVIDER).confirm == pytest.approx(nats(1.0))


def test_more_providers_share_the_same_false_alarms() -> None:
    assert Lines(2.0, 12).of(PROVIDER).confirm > Lines(2.0, 6).of(PROVIDER).confirm


@pytest.mark.parametrize("claim", [PROVIDER, SENDER])
def test_a_suspicion_takes_less_than_a_confirmation(claim: Claim) -> None:
    line = Lines(2.0, 8).of(claim)

    assert line.suspect < line.confirm


def test_one_campaign_is_never_more_than_a_suspicion() -> None:
    line = Lines(2.0, 8).of(Claim(Cause.CONTENT, sender="a.example.org"))

    assert line.confirm == float("inf")
