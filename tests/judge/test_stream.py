"""Replaying placements of the past: what is read, what is said, what is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.placements import Placement
from monitor.judge.judge import Judge
from monitor.judge.stream import ZERO, RecordError, Replay, Stream

WORLD = {
    "type": "world",
    "v": 1,
    "providers": ["p0", "p1"],
    "mailboxes": [
        {"m": f"{p}-{n:02d}", "p": p, "group": f"g{n % 2}"} for p in ("p0", "p1") for n in range(6)
    ],
    "evaluate_from": 24.0,
}
CAMPAIGN = {"type": "campaign", "t": 10.0, "c": "c1", "s": "s1", "feat": ["url:u1"]}


def check(t: Any, look: int = 0, *, c: str = "c1", p: str = "p0", **more: Any) -> dict[str, Any]:
    seeds = {"seeds": [0, 2, 4]} if look == 0 else {}
    return {"type": "check", "t": t, "c": c, "p": p, "chk": look, **seeds, **more}


def started() -> Stream:
    stream = Stream()
    assert stream.take(WORLD) is None
    assert stream.take(CAMPAIGN) is None
    return stream


def test_a_first_check_tells_where_each_seed_found_its_copy() -> None:
    told = started().take(check(10.5, bad={"2": "spam", "4": "tab"}))

    assert told is not None
    assert told.placements == {
        "p0-00": Placement.INBOX,
        "p0-02": Placement.SPAM,
        "p0-04": Placement.TAB,
    }
    assert told.regions == {"p0-00": "g0", "p0-02": "g0", "p0-04": "g0"}
    assert (told.sender, told.features, told.look) == ("s1", {"url:u1"}, 0)
    assert (told.at - ZERO, told.sent_at - ZERO) == (timedelta(hours=10.5), timedelta(hours=10))


def test_a_later_check_tells_what_changed_and_the_rest_stays() -> None:
    stream = started()
    stream.take(check(10.5, bad={"2": "spam"}))

    told = stream.take(check(12.0, 1, chg={"0": "quarantine", "4": "missing"}))

    assert told is not None
    assert told.placements == {
        "p0-00": Placement.QUARANTINE,
        "p0-02": Placement.SPAM,
        "p0-04": Placement.REMOVED,
    }


def test_delays_and_scores_are_read_and_later_checks_add_to_them() -> None:
    stream = started()
    first = stream.take(check(10.5, delay={"0": 0.05}, scores={"scl": {"2": 5}}))
    later = stream.take(check(12.0, 1, delay={"4": 1.9}))

    assert first is not None
    assert first.gauges == {"delay_h": {"p0-00": 0.05}, "scl": {"p0-02": 5.0}}
    assert later is not None
    assert later.gauges == {"delay_h": {"p0-00": 0.05, "p0-04": 1.9}, "scl": {"p0-02": 5.0}}


def test_times_may_be_texts_and_are_written_as_they_came() -> None:
    stream = started()
    stream.take({**CAMPAIGN, "c": "c2", "t": "2026-03-02T08:00:00Z"})

    told = stream.take(check("2026-03-02T09:30:00+01:00", c="c2"))

    assert told is not None
    assert told.at == datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
    assert stream.time(told.at) == "2026-03-02T08:30:00Z"


def test_a_campaign_is_forgotten_after_a_week() -> None:
    stream = started()
    stream.take({**CAMPAIGN, "c": "c2", "t": 200.0})
    stream.take(check(200.5, c="c2"))

    with pytest.raises(RecordError, match="c: 'c1' is a campaign that no line before has told"):
        stream.take(check(201.0))


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"type": "weather"}, "type: 'weather' is not"),
        ({"type": "world"}, "providers: is missing"),
        ({**WORLD, "mailboxes": [{"m": "x", "p": "p9"}]}, "mailboxes: one of them belongs to no"),
        ({**CAMPAIGN, "t": "soon"}, "t: 'soon' is no time"),
        ({**CAMPAIGN, "t": float("nan")}, "t: nan is no time"),
        ({**CAMPAIGN, "t": True}, "t: 'True' is no time"),
        ({**CAMPAIGN, "feat": "url:u1"}, "feat: is missing or no list"),
        (check(10.5, c="c9"), "c: 'c9' is a campaign"),
        (check(9.0), "t: 9.0 comes after a later check"),
        (check(10.5, bad={"1": "spam"}), "bad, chg: '1' is no seed of this check"),
        (check(10.5, bad={"2": "lost"}), "bad, chg: 'lost' is no placement"),
        (check(10.5, bad=["2"]), "bad, chg: is not an object"),
        (check(10.5, seeds=[None]), "seeds: 'None' is no name"),
        (check(10.5, -1), "chk: is not the number"),
        (check(11.0, 1, chg={"5": "spam"}), "bad, chg: '5' is no seed"),
        (check(10.5, delay={"1": 0.5}), "delay, scores: '1' is no seed of this check"),
        (check(10.5, delay={"2": -1}), "delay, scores: '-1' is no delay_h"),
        (check(10.5, delay={"2": float("nan")}), "delay, scores: 'nan' is no delay_h"),
        (check(10.5, delay={"2": 1e300}), "delay, scores: '1e+300' is no delay_h"),
        (check(10.5, delay=[1.0]), "delay, scores: is not an object of seed and number"),
        (check(10.5, scores={"scl": {"2": True}}), "delay, scores: 'True' is no scl"),
        (check(10.5, scores={"delay_h": {"2": 1}}), "scores: is not an object of bcl"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(record: dict[str, Any], problem: str) -> None:
    stream = started()
    stream.take(check(10.0))

    with pytest.raises(RecordError) as refused:
        stream.take(record)

    assert problem in str(refused.value)
    assert stream.take(check(10.5, 1)) is not None


def story(hours: float) -> list[dict[str, Any]]:
    """Twelve senders at three providers; from hour 30 on, one of them quarantines all mail."""
    providers = ["p0", "p1", "p2"]
    boxes = [{"m": f"{p}-{n:02d}", "p": p, "group": "g0"} for p in providers for n in range(8)]
    records: list[dict[str, Any]] = [
        {"type": "world", "providers": providers, "mailboxes": boxes, "evaluate_from": 24.0}
    ]
    for number in range(int(hours * 6)):
        t, name = number / 6, f"c{number}"
        records.append({"type": "campaign", "t": t, "c": name, "s": f"s{number % 12}", "feat": []})
        for p in providers:
            bad = {str(n): "quarantine" for n in range(8)} if p == "p1" and t >= 30 else {}
            one = {"type": "check", "t": t + 0.1, "c": name, "p": p, "chk": 0}
            records.append({**one, "seeds": list(range(8)), "bad": bad})
    return records


def test_an_incident_is_told_with_all_that_the_format_promises() -> None:
    replay = Replay(Judge(false_alarms_per_year=6))

    events = [event for record in story(36) for event in replay.take(record, explain=True)]

    confirmed = [e for e in events if e["state"] == "confirmed"]
    assert {(e["cause"], e["provider"]) for e in confirmed} == {("provider", "p1")}
    first = confirmed[0]
    assert 30 < first["t"] < 32
    assert first["start_low"] <= first["start"] <= first["start_high"] <= first["t"]
    assert set(first) == {
        *("type", "t", "id", "state", "cause", "provider", "feature", "sender", "esp", "seed"),
        *("start", "start_low", "start_high", "posterior", "direction", "hit", "spared"),
        *("sentence", "reason", "evidence"),
    }
    assert json.loads(json.dumps(first)) == first


def test_what_was_confirmed_before_counting_began_is_history() -> None:
    records = story(36)
    records[0]["evaluate_from"] = 34.0
    replay = Replay(Judge(false_alarms_per_year=6))

    assert [event for record in records for event in replay.take(record)] == []


def test_a_sender_that_an_open_incident_hits_is_named_soon() -> None:
    """Who is named is warned: two hours later may be after the next campaign, or the end."""
    replay = Replay(Judge(false_alarms_per_year=6))
    records = story(34)

    events = [event for record in records for event in replay.take(record)]

    confirmed = [e for e in events if e["state"] == "confirmed"]
    hit_at = {r["s"]: r["t"] + 0.1 for r in reversed(records) if r.get("s") and r["t"] >= 30}
    named_at = {s: e["t"] for e in reversed(confirmed) for s in e["hit"]}
    assert set(named_at) == set(hit_at)
    waited = [named_at[s] - max(hit_at[s], confirmed[0]["t"]) for s in hit_at]
    assert max(waited) <= 0.5
