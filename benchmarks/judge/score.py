"""Scores incidents against the truth of simulated streams. Times are hours.

    python -m benchmarks.judge.score DIR

DIR holds NAME.obs.jsonl, NAME.truth.jsonl and NAME.incidents.jsonl. An alarm is the first
event of an incident whose state is "confirmed". Each run is scored once, into figures that
JSON can hold; a table is made of the figures of many runs.

found   an alarm of the right cause's family at the right place, at most 24 h after the end
hours   from the onset to that alarm; campaigns: those that had met the cause by then
cause   is the cause, and its place, as last said within 24 h of the alarm, right?
false   alarms against a provider of which no trouble has begun; again: for one found already
blamed  alarms against a sender hit only by a provider, a day or more after the onset
names   common causes beside the truth, or a sender's content that nothing explains, of any run

A table as `show` prints it counts every alarm. Beside it, each run has the same figures
("worse") from alarms that say that mail fares worse, because one that says it fares better
has not found a loss: against a provider, it is a false one.
"""

import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.judge import genie
from benchmarks.judge.labels import (
    COMMON,
    DAY_H,
    FAMILY,
    PROVIDER,
    PROVIDER_SIDE,
    Alarm,
    Case,
    Record,
    case_of,
    is_accepted,
    is_right,
    met,
    read,
    same_place,
)


def found(case: Case, truth: Record) -> Record:
    """Whether and when *truth* was found, and whether it was named rightly."""
    mine = [
        alarm
        for alarm in case.alarms
        if alarm.first["cause"] in FAMILY[truth["kind"]]
        and same_place(alarm.first, truth)
        and truth["t0"] <= alarm.t <= truth["t1"] + DAY_H
    ]
    if not mine:
        return {"found": False, "again": 0}
    label = mine[0].settled
    return {
        "found": True,
        "again": len(mine) - 1,
        "hours": mine[0].t - truth["t0"],
        "campaigns": met(case, truth, mine[0].t),
        "right": is_right(label, truth),
        "accepted": is_accepted(label, truth),
        "stated": label["posterior"].get(label["cause"]),
    }


def _blamed(case: Case, alarm: Alarm) -> bool:
    """Is a sender blamed for what a provider did to it?"""
    label = alarm.settled
    own = {f"s{truth['sender']}" for truth in case.truths if "sender" in truth}
    if label["cause"] not in {"sender", "sender_at_provider"} or label["sender"] in own:
        return False
    side = [truth for truth in case.truths if truth["kind"] in PROVIDER_SIDE]
    began = any(t["t0"] + DAY_H <= alarm.t <= t["t1"] for t in side)
    return began and not _in_trouble(case, alarm, label)


def _in_trouble(case: Case, alarm: Alarm, label: Record) -> bool:
    """Had the sender trouble of its own?"""
    return any(
        label["sender"] == f"s{n['sender']}" and n["t0"] <= alarm.t <= n["t1"] + 7 * DAY_H
        for n in case.nuisances
    )


def is_false(case: Case, alarm: Alarm) -> bool:
    """Is a provider accused of which no trouble has begun?"""
    side = [truth for truth in case.truths if truth["kind"] in PROVIDER_SIDE]
    accused = alarm.first["cause"] in PROVIDER
    return accused and not any(same_place(alarm.first, t) and t["t0"] <= alarm.t for t in side)


def _is_name(case: Case, alarm: Alarm) -> bool:
    """Is a common cause named that is not there?"""
    label = alarm.first
    if label["cause"] not in COMMON or _in_trouble(case, alarm, label):
        return False
    return not any(label["cause"] in FAMILY[t["kind"]] for t in case.truths)


def _is_so(case: Case, alarm: Alarm, label: Record) -> bool:
    """Was what *label* says the case, as a scenario's trouble or as a nuisance?"""
    if not alarm.is_worse:
        return False
    if label["cause"] == "seed":
        broken = [*case.broken, *(t for t in case.truths if t["kind"] == "mailbox")]
        names = [f"p{b['provider']}-{b['mailbox']:02d}" for b in broken if b["t0"] <= alarm.t]
        return label["seed"] in names
    if any(is_accepted(label, t) and t["t0"] <= alarm.t <= t["t1"] + DAY_H for t in case.truths):
        return True
    return any(
        label["cause"] == ("sender" if n["provider"] < 0 else "sender_at_provider")
        and label["sender"] == f"s{n['sender']}"
        and label["provider"] == (None if n["provider"] < 0 else f"p{n['provider']}")
        and n["t0"] <= alarm.t <= n["t1"] + 7 * DAY_H
        for n in case.nuisances
    )


def _stated(case: Case, alarm: Alarm) -> Record:
    """How sure the cause was, at the alarm and as last said within a day; and was it so?"""
    told = {"t": alarm.t, "cause": alarm.first["cause"]}
    for name, label in (("first", alarm.first), ("settled", alarm.settled)):
        said = label["posterior"].get(label["cause"])
        told[name] = {"cause": label["cause"], "p": said, "so": _is_so(case, alarm, label)}
    return told


def _figures(case: Case) -> Record:
    """What every table counts."""
    return {
        "truths": [found(case, truth) for truth in case.truths],
        "false": sum(is_false(case, alarm) for alarm in case.alarms),
        "names": sum(_is_name(case, alarm) for alarm in case.alarms),
        "blamed": sum(_blamed(case, alarm) for alarm in case.alarms),
    }


def worse_only(case: Case) -> Record:
    """The same where an alarm of "better" finds nothing, and is false against a provider."""
    worse = [alarm for alarm in case.alarms if alarm.is_worse]
    better = [a for a in case.alarms if not a.is_worse and a.first["cause"] in PROVIDER]
    figures = _figures(case.with_alarms(worse))
    return figures | {"false": figures["false"] + len(better)}


def score_run(stream: list[Record], truth: list[Record], events: Iterable[Record]) -> Record:
    """All figures of one run, as JSON can hold them; what was never found has no hours."""
    case = case_of(stream, truth, events)
    return {
        "scenario": case.head["scenario"],
        "seed": case.head["seed"],
        "days": case.days,
        "providers": len(case.head["providers"]),
        **_figures(case),
        "worse": worse_only(case),
        "alarms": [_stated(case, alarm) for alarm in case.alarms],
        "genie": [_genie(stream, case, t) for t in case.truths if t["kind"] in PROVIDER_SIDE],
        "met": [met(case, truth, truth["t1"]) for truth in case.truths],
    }


def _genie(stream: list[Record], case: Case, truth: Record) -> Record:
    at = genie.alarm(stream, truth)
    if math.isinf(at):
        return {}
    return {"hours": at - truth["t0"], "campaigns": met(case, truth, at)}


def score(folder: Path) -> dict[str, dict[str, Any]]:
    """The figures of each scenario of which *folder* holds finished runs."""
    runs = []
    for path in sorted(folder.glob("*.incidents.jsonl")):
        name = path.name.removesuffix(".incidents.jsonl")
        files = (read(folder / f"{name}.{kind}.jsonl") for kind in ("obs", "truth", "incidents"))
        runs.append(score_run(*files))
    return table(runs)


def table(runs: Iterable[Record]) -> dict[str, dict[str, Any]]:
    """The figures of each scenario of which there are *runs*."""
    rows: dict[str, list[Record]] = defaultdict(list)
    for run in runs:
        rows[run["scenario"]].append(run)
    return {scenario: _summary(row) for scenario, row in sorted(rows.items())}


def _summary(row: list[Record]) -> dict[str, Any]:
    def mean(values: Iterable[float]) -> float | None:
        known = list(values)
        return round(statistics.fmean(known), 3) if known else None

    def quantile(values: Iterable[float], q: float) -> float | None:
        known = sorted(values)
        return round(known[min(len(known) - 1, int(q * len(known)))], 2) if known else None

    years = sum(run["days"] for run in row) / 365
    truths = [truth for run in row for truth in run["truths"]]
    found = [truth for truth in truths if truth["found"]]
    return {
        "runs": len(row),
        "found": mean(truth["found"] for truth in truths),
        "hours_p50": quantile((truth["hours"] for truth in found), 0.5),
        "hours_p95": quantile((truth["hours"] for truth in found), 0.95),
        "campaigns_p50": quantile((truth["campaigns"] for truth in found), 0.5),
        "cause_ok": mean(truth["right"] for truth in found),
        "posterior_said": mean(t["stated"] for t in found if t["stated"] is not None),
        "false_per_year": round(sum(r["false"] for r in row) / years, 2) if years else None,
        "false": sum(run["false"] for run in row),
        "again": sum(truth["again"] for truth in truths),
        "blamed": sum(run["blamed"] for run in row),
        "names": sum(run["names"] for run in row),
    }


def show(table: dict[str, dict[str, Any]]) -> str:
    """The table as lines of text."""
    keys = list(next(iter(table.values()), {}))
    lines = ["scenario".ljust(20) + "".join(key.rjust(15) for key in keys)]
    for name, row in table.items():
        cells = ("-" if row[key] is None else str(row[key]) for key in keys)
        lines.append(name.ljust(20) + "".join(cell.rjust(15) for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    print(show(score(Path(sys.argv[1]))))
