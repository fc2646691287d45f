"""The judge's benchmark: its streams are those that the published figures were made from."""

import hashlib
import json

import pytest

from benchmarks.judge import rivals
from benchmarks.judge.labels import alarms, is_right
from benchmarks.judge.simulate import records, simulate
from benchmarks.judge.world import Settings

SHORT = Settings(days=2, burn=1)


@pytest.mark.parametrize(
    ("scenario", "digest"),
    [("two_at_once", "57f2d8778558cb46"), ("zap_delayed", "6580aa38616e05c4")],
)
def test_a_scenario_and_a_seed_always_make_the_same_stream(scenario: str, digest: str) -> None:
    made = hashlib.sha256()
    for record in records(simulate(scenario, 3, SHORT)):
        made.update(json.dumps(record, separators=(",", ":")).encode() + b"\n")

    assert made.hexdigest()[:16] == digest


def test_an_incident_is_one_alarm_with_its_name_as_last_said_within_a_day() -> None:
    def said(t: float, cause: str, state: str = "confirmed") -> dict[str, object]:
        return {"t": t, "id": "a", "state": state, "cause": cause, "provider": "p1"}

    found = alarms([said(1, "sender", "suspected"), said(2, "sender"), said(9, "provider")])

    assert [(a.t, a.first["cause"], a.settled["cause"]) for a in found] == [
        (2, "sender", "provider")
    ]
    assert is_right(found[0].settled, {"kind": "provider", "provider": 1})
    assert not is_right(found[0].first, {"kind": "provider", "provider": 1})


def test_a_rivals_line_is_the_lowest_that_keeps_the_rate() -> None:
    quiet = [[(1.0, "p0", 0.2), (2.0, "p0", 0.5), (3.0, "p1", 0.4)]]

    line = rivals.line_for(quiet, 1)

    assert line == 0.5
    assert rivals.alarms(quiet[0], line) == [(2.0, "p0")]
