"""Effects that placement does not show: mail that is late, and scores that rise before spam."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest

from monitor.core.incidents import Cause, IncidentEvent, State
from monitor.core.observations import Observation
from monitor.core.placements import Placement
from monitor.judge.claims import Claim
from monitor.judge.gauges.told import GaugeCase
from monitor.judge.judge import Judge
from monitor.judge.lines import Lines
from tests.judge.worlds import NAMES, START, Sender, World, at, judged

ONSET_H = 192.0  # eight days: what is usual is known
TROUBLE_H = 8.0
SPAN_H = 26.0
LATE_H = 2.2
WORLD = World(
    senders=[
        Sender(f"s{n:02}.example", frozenset({f"esp:esp{n % 2}"}), at(4 + n % 2)) for n in range(12)
    ],
    providers=("gmail", "yahoo", "microsoft365"),
    seeds=2,
    looks=(timedelta(minutes=32),),
)
Change = Callable[[Observation], float]


def sent_h(seen: Observation) -> float:
    return (seen.sent_at - START) / timedelta(hours=1)


def noise(seen: Observation) -> float:
    """A number between 0 and 1 that looks like chance and is always the same."""
    return sum(n * ord(c) for n, c in enumerate(seen.id)) * 0.618 % 1


def nothing(_: Observation) -> float:
    return 0.0


def made(seen: Observation, late: Change, harder: Change) -> Observation:
    """Mail takes two to four minutes, at Yahoo an hour longer every night; Microsoft scores it."""
    nightly = seen.provider == "yahoo" and seen.sent_at.hour in {2, 3}
    delay = (2 + 2 * noise(seen)) / 60 + nightly + late(seen)
    gauges = {"delay_h": dict.fromkeys(seen.placements, delay)}
    if seen.provider == "microsoft365":
        scl = 1.0 + harder(seen) + (noise(seen) > 0.9)
        gauges["scl"] = dict.fromkeys(seen.placements, scl)
    return replace(seen, at=max(seen.at, seen.sent_at + at(delay)), gauges=gauges)


@cache
def placed() -> list[Observation]:
    return WORLD.observations(at(ONSET_H + SPAN_H))


def in_order(observations: Iterable[Observation]) -> list[Observation]:
    return sorted(observations, key=lambda seen: (seen.at, seen.id))


@cache
def learnt() -> str:
    """What a judge knows of delays and scores after eight days, as it is saved."""
    judge = Judge(names=NAMES)
    seen = [made(one, nothing, nothing) for one in placed() if sent_h(one) < ONSET_H]
    for one in in_order(seen):
        assert judge.observe(one, asks=False) == []
    saved = judge.snapshot()
    return json.dumps({**Judge().snapshot(), "now": saved["now"], "gauges": saved["gauges"]})


def experienced() -> Judge:
    return Judge.restore(json.loads(learnt()), names=NAMES)


def later(late: Change = nothing, harder: Change = nothing) -> list[Observation]:
    return in_order(made(one, late, harder) for one in placed() if sent_h(one) >= ONSET_H)


def told(late: Change = nothing, harder: Change = nothing) -> list[IncidentEvent]:
    return judged(later(late, harder), experienced())


def lasts(seen: Observation) -> bool:
    return sent_h(seen) < ONSET_H + TROUBLE_H


def late_gmail(seen: Observation) -> float:
    return LATE_H if seen.provider == "gmail" and lasts(seen) else 0.0


@cache
def told_of_late_gmail() -> list[IncidentEvent]:
    return told(late_gmail)


def test_a_provider_that_delivers_late_is_told_until_it_is_in_time_again() -> None:
    events = told_of_late_gmail()

    first, last = events[0], events[-1]
    assert {(e.provider, e.cause, e.gauge) for e in events} == {
        ("gmail", Cause.PROVIDER, "delay_h")
    }
    assert first.state is State.CONFIRMED
    assert at(ONSET_H + LATE_H) <= first.at - START < at(ONSET_H + LATE_H + 2)
    assert at(ONSET_H - 5) <= first.start_low - START <= at(ONSET_H) <= first.start_high - START
    assert "Gmail delivers mail late: 2 h 15 min instead of 3 min for " in first.sentence
    assert first.sentence.endswith("It is not you. Microsoft 365 and Yahoo are normal.")
    assert last.state is State.CLOSED
    assert len(last.hit) == len(WORLD.senders)
    assert "Delays at Gmail are normal again." in last.sentence


def test_the_table_tells_who_is_late_and_that_the_same_mail_is_in_time_elsewhere() -> None:
    first = told_of_late_gmail()[0]

    readings = first.evidence.readings
    assert {r.name for r in readings if r.is_hit} == set(first.hit)
    assert {r.name for r in readings if r.is_control} == {"yahoo", "microsoft365"}
    assert all((r.now > 2) == r.is_hit and r.usual < 0.1 for r in readings)


def test_what_was_missing_at_the_first_look_is_told_to_be_late_once_it_comes() -> None:
    """The loss is told first, since nobody can know better; then it is taken back, once."""

    def very_late(seen: Observation) -> float:
        return 5.0 if seen.provider == "gmail" and lasts(seen) else 0.0

    first_looks = [
        replace(
            seen,
            id=f"{seen.id}/first",
            at=seen.sent_at + at(0.55),
            look=-1,
            placements=dict.fromkeys(seen.placements, Placement.MISSING),
            gauges={},
        )
        for seen in later(very_late)
        if seen.at - seen.sent_at > at(2)
    ]
    events = judged(in_order([*later(very_late), *first_looks]), experienced())

    known = next(n for n, e in enumerate(events) if e.gauge == "delay_h")
    lost = {e.incident for e in events if e.gauge is None}
    assert {e.provider for e in events} == {"gmail"}
    assert len(lost) == 1
    assert [e.state for e in events[known:] if e.gauge is None] == [State.CLOSED]
    assert events[known + 1].part_of == events[known].incident
    assert events[known + 1].until is None
    assert events[known + 1].reason == f"The mail is late, not lost: see {events[known].incident}."
    assert events[known + 1].sentence.startswith("Mail at Gmail: it is late, not lost.")


def test_what_is_late_everywhere_through_one_service_is_the_service() -> None:
    def late(seen: Observation) -> float:
        return LATE_H if "esp:esp1" in seen.features and lasts(seen) else 0.0

    events = told(late)

    assert {(e.cause, e.esp, e.provider) for e in events} == {(Cause.ESP, "esp1", None)}
    assert State.CONFIRMED in {e.state for e in events}
    assert "Mail sent through esp1 arrives late everywhere: 2 h 1" in events[0].sentence
    assert events[-1].state is State.CLOSED


def test_all_mail_late_everywhere_is_not_laid_at_anybodys_door() -> None:
    events = told(lambda seen: LATE_H if lasts(seen) else 0.0)

    assert {(e.cause, e.provider) for e in events} == {(Cause.MONITOR, None)}


def test_one_slow_sender_is_at_most_suspected_and_no_provider_is() -> None:
    everywhere = told(lambda seen: LATE_H * (seen.sender == "s03.example"))
    at_gmail = told(
        lambda seen: LATE_H * (seen.sender == "s03.example" and seen.provider == "gmail")
    )

    assert at_gmail == []
    assert {(e.cause, e.sender) for e in everywhere} == {(Cause.SENDER, "s03.example")}
    assert State.CONFIRMED not in {e.state for e in everywhere}


def test_a_slow_hour_of_every_night_and_single_late_copies_are_nothing_to_tell() -> None:
    def one_copy_late(seen: Observation) -> Observation:
        delays = dict(seen.gauges["delay_h"])
        delays[min(delays)] = 30.0
        return replace(seen, gauges={**seen.gauges, "delay_h": delays})

    assert judged([one_copy_late(seen) for seen in later()], experienced()) == []


def test_rising_scores_are_suspected_before_the_mail_goes_to_spam() -> None:
    spam_h = ONSET_H + 14

    seen = [
        replace(one, placements=dict.fromkeys(one.placements, Placement.SPAM))
        if one.provider == "microsoft365" and sent_h(one) >= spam_h
        else one
        for one in later(harder=lambda _: 2.0)
    ]
    events = judged(seen, experienced())

    drift = [e for e in events if e.gauge == "scl"]
    lost = [e for e in events if e.gauge is None]
    assert drift[0].state is State.SUSPECTED
    assert State.CONFIRMED not in {e.state for e in drift}
    assert "Microsoft 365 scores mail higher than usual (SCL 3.0 instead of 1." in drift[0].sentence
    assert (lost[0].state, lost[0].provider) == (State.CONFIRMED, "microsoft365")
    assert lost[0].at - drift[0].at > at(6)
    assert "It had scored mail higher than usual (SCL 3.0 instead of 1." in lost[0].sentence
    assert lost[0].evidence.readings


def test_while_scores_have_risen_less_evidence_is_enough_there_and_only_there() -> None:
    lines = Lines(2.0, 6, drifting=frozenset({"microsoft365"}))

    def line(provider: str) -> float:
        return lines.of(Claim(Cause.PROVIDER, provider)).confirm

    assert line("microsoft365") == pytest.approx(line("gmail") - 1.1)
    assert line("gmail") == Lines(2.0, 6).of(Claim(Cause.PROVIDER, "gmail")).confirm


def test_scores_of_mail_in_spam_are_known_from_its_placement_and_say_nothing_more() -> None:
    def in_spam(seen: Observation) -> Observation:
        is_hit = seen.provider == "microsoft365"
        placements = dict.fromkeys(seen.placements, Placement.SPAM)
        return replace(seen, placements=placements) if is_hit else seen

    seen = [in_spam(one) for one in later(harder=lambda _: 6.0)[:100]]

    assert {e.gauge for e in judged(seen, experienced())} == {None}


def test_without_readings_nothing_is_said_and_nothing_is_kept() -> None:
    bare = [replace(seen, gauges={}) for seen in later(late_gmail)]
    judge = Judge(names=NAMES)

    assert judged(bare, judge) == []
    assert judge.snapshot()["gauges"] == Judge().snapshot()["gauges"]


def test_a_stream_cut_in_two_says_the_same() -> None:
    whole, judge = told_of_late_gmail(), experienced()
    events = []
    for number, seen in enumerate(later(late_gmail)):
        if number == 100:
            judge = Judge.restore(json.loads(json.dumps(judge.snapshot())), names=NAMES)
        events += judge.observe(seen)

    assert events == whole


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -5.0, 1e300, -1e300])
def test_impossible_figures_are_left_out_or_bounded(value: float) -> None:
    def broken(seen: Observation) -> Observation:
        values = dict.fromkeys([*seen.placements, *(f"x{n}" for n in range(500))], value)
        return replace(seen, gauges={"delay_h": values, "scl": values, "noise": values})

    judge = experienced()
    for seen in later()[:30]:
        judge.observe(broken(seen))

    saved = json.dumps(judge.snapshot(), allow_nan=False)
    assert len(saved) < 1.5 * len(learnt())


def test_a_suspicion_of_delay_that_came_to_nothing_accounts_for_no_mail() -> None:
    judge = experienced()
    mild = later(lambda seen: 0.5 if seen.provider == "gmail" and lasts(seen) else 0.0)

    assert [e.state for e in judged(mild, judge)] == [State.SUSPECTED, State.CLOSED]

    (row,) = judge.snapshot()["gauges"]["cases"]
    dropped = GaugeCase.restore(row)
    assert not dropped.was_confirmed
    assert not dropped.accounts_for(dropped.case.start.high)
