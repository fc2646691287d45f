"""The tables of the benchmark, as Markdown, from the figures of its runs."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from benchmarks.judge import documented
from benchmarks.judge.intervals import bootstrap, poisson, quantile, wilson
from benchmarks.judge.labels import Record

Rows = list[list[str]]
GOALS = {  # hours: the median's, and where there is one the 95th percentile's
    "provider_wide": "2.0, 14",
    "provider_url": "11.5, 30",
    "partial_senders": "14",
    "partial_region": "9",
    "zap_delayed": "5.4",
    "blink": "1.3",
    "slow": "55",
    "two_at_once": "5.4, 15",
}
BINS = (0.0, 0.5, 0.8, 0.95, 1.0001)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def by_scenario(runs: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for run in runs:
        found[run["scenario"]].append(run)
    return found


def told(value: float | None, digits: int = 1) -> str:
    if value is None:
        return "–"
    return "never" if math.isinf(value) else f"{value:.{digits}f}"


def between(interval: tuple[float, float] | None, digits: int = 1) -> str:
    return "" if interval is None else f" ({', '.join(told(end, digits) for end in interval)})"


def share(hits: int, n: int) -> str:
    """A count of *n* with its interval in per cent."""
    if not n:
        return "–"
    low, high = wilson(hits, n)
    return f"{hits} of {n} ({100 * low:.0f}–{100 * high:.0f} %)"


def delays(truths: Iterable[Record], key: str = "hours") -> list[float]:
    """What was never found took for ever."""
    return [truth.get(key, math.inf) for truth in truths]


def truths_of(runs: Iterable[Record]) -> list[Record]:
    return [truth for run in runs for truth in run["worse"]["truths"]]


def _ratio(truths: list[Record], genie: list[Record], key: str) -> str:
    mine, bound = quantile(delays(truths, key), 0.5), quantile(delays(genie, key), 0.5)
    if not mine or not bound or math.isinf(mine) or math.isinf(bound):
        return "–"
    return f"{mine / bound:.2f}"


def detection(runs: Sequence[Record]) -> str:
    """How often and how soon, beside the bound that each run's own truth gives."""
    head = ["scenario", "runs", "found", "hours, median", "p95", "goal", "campaigns"]
    head += ["genie, hours", "hours / genie", "campaigns / genie", "cause right"]
    rows = []
    for scenario, of in by_scenario(runs).items():
        truths, genie = truths_of(of), [g for run in of for g in run["genie"]]
        if scenario in documented.cases() or not truths:
            continue
        found, hours = [t for t in truths if t["found"]], delays(truths)
        rows.append(
            [
                *(scenario, str(len(of)), share(len(found), len(truths))),
                told(quantile(hours, 0.5)) + between(bootstrap(hours, 0.5)),
                told(quantile(hours, 0.95)) + between(bootstrap(hours, 0.95)),
                GOALS.get(scenario, "–"),
                told(quantile(delays(truths, "campaigns"), 0.5), 0),
                told(quantile(delays(genie), 0.5)),
                *(_ratio(truths, genie, key) for key in ("hours", "campaigns")),
                share(sum(t["right"] for t in found), len(found)),
            ]
        )
    return markdown(head, rows)


def alarms(runs: Sequence[Record]) -> str:
    """What was said that was not so."""
    head = ["scenario", "runs", "provider-days", "false provider alarms", "a run"]
    head += ["a provider and year", "second names a run", "told again", "senders blamed"]
    groups = {k: v for k, v in by_scenario(runs).items() if k not in documented.cases()}
    groups["the null worlds"] = [r for k, v in groups.items() if k.startswith("null") for r in v]
    groups["all"] = [r for r in runs if r["scenario"] not in documented.cases()]
    rows = []
    for scenario, of in groups.items():
        days = sum(run["days"] * run["providers"] for run in of)
        if not of:
            continue
        false = sum(run["worse"]["false"] for run in of)
        ends = tuple(365 * end / days for end in poisson(false))
        rows.append(
            [
                *(scenario, str(len(of)), f"{days:,.0f}", str(false), f"{false / len(of):.2f}"),
                f"{365 * false / days:.2f} ({ends[0]:.2f}–{ends[1]:.2f})",
                f"{sum(run['worse']['names'] for run in of) / len(of):.2f}",
                str(sum(truth["again"] for truth in truths_of(of))),
                str(sum(run["worse"]["blamed"] for run in of)),
            ]
        )
    return markdown(head, rows)


def reliability(runs: Sequence[Record]) -> str:
    """Of what was stated so surely, how much was so? Causes left open are not counted."""
    head = ["stated", "at the alarm: n", "mean stated", "was so"]
    head += ["a day later: n", "mean stated", "was so"]
    said = [_said(runs, when) for when in ("first", "settled")]
    rows = []
    for low, high in pairwise(BINS):
        kept = [[(p, so) for _, p, so in of if low <= p < high] for of in said]
        rows.append([f"{low:g} to {min(high, 1.0):g}", *_reliable(kept)])
    for cause in sorted({cause for of in said for cause, _, _ in of}):
        kept = [[(p, so) for name, p, so in of if name == cause] for of in said]
        rows.append([f"`{cause}`", *_reliable(kept)])
    every = [[(p, so) for _, p, so in of] for of in said]
    brier = [sum((p - so) ** 2 for p, so in of) / len(of) if of else None for of in every]
    scores = [told(brier[0], 3), "", "", told(brier[1], 3), "", ""]
    return markdown(head, [*rows, ["all", *_reliable(every)], ["Brier score", *scores]])


def _said(runs: Sequence[Record], when: str) -> list[tuple[str, float, bool]]:
    """Cause, probability and truth of each alarm, as said at it or a day later."""
    labels = [alarm[when] for run in runs for alarm in run["alarms"]]
    known = [one for one in labels if one["cause"] != "insufficient" and one["p"] is not None]
    return [(one["cause"], one["p"], one["so"]) for one in known]


def _reliable(groups: Sequence[Sequence[tuple[float, bool]]]) -> list[str]:
    cells = []
    for kept in groups:
        if not kept:
            cells += ["0", "–", "–"]
            continue
        right = sum(so for _, so in kept)
        low, high = wilson(right, len(kept))
        cells += [str(len(kept)), f"{sum(p for p, _ in kept) / len(kept):.2f}"]
        cells.append(f"{right / len(kept):.2f} ({low:.2f}–{high:.2f})")
    return cells


def of_the_past(runs: Sequence[Record]) -> str:
    """Documented incidents: found, how soon, and how long before the provider said so."""
    head = ["incident", "what", "runs", "campaigns met", "found", "hours, median", "genie"]
    head += ["named rightly", "false provider alarms", "admitted after", "lead, median"]
    groups, rows = by_scenario(runs), []
    for name, case in documented.cases().items():
        of = groups.get(name, [])
        if not of:
            continue
        assumed = f" (assumed: {case['assumed']})" if "assumed" in case else ""
        truths = truths_of(of)
        found = [truth for truth in truths if truth["found"]]
        hours, admitted = quantile(delays(truths), 0.5), case.get("acknowledged_h")
        genie = quantile(delays(g for run in of for g in run["genie"]), 0.5)
        lead = admitted - hours if admitted and hours and not math.isinf(hours) else None
        rows.append(
            [
                *(name, case["what"] + assumed, str(len(of))),
                told(quantile([met for run in of for met in run["met"]], 0.5), 0),
                share(len(found), len(truths)) if truths else "nothing to find",
                *(told(hours), told(genie)),
                share(sum(t["accepted"] for t in found), len(found)),
                str(sum(run["worse"]["false"] for run in of)),
                *(told(admitted), told(lead)),
            ]
        )
    return markdown(head, rows)


def controls(without: Sequence[Record], having: Sequence[Record]) -> str:
    """What senders of one's own buy that mail day and night."""
    head = ["scenario", "senders of one's own", "runs", "found", "hours, median", "p95"]
    head += ["false provider alarms a provider and year"]
    plain, rows = by_scenario(without), []
    for scenario, of in by_scenario(having).items():
        for name, group in (("none", plain.get(scenario, [])), (str(of[0]["controls"]), of)):
            if group:
                rows.append([scenario, name, *_with_controls(group)])
    return markdown(head, rows)


def _with_controls(runs: Sequence[Record]) -> list[str]:
    truths = truths_of(runs)
    hours = delays(truths)
    days = sum(run["days"] * run["providers"] for run in runs)
    false = sum(run["worse"]["false"] for run in runs)
    low, high = (365 * end / days for end in poisson(false))
    return [
        *(str(len(runs)), share(sum(t["found"] for t in truths), len(truths))),
        told(quantile(hours, 0.5)) + between(bootstrap(hours, 0.5)),
        told(quantile(hours, 0.95)) + between(bootstrap(hours, 0.95)),
        f"{365 * false / days:.2f} ({low:.2f}–{high:.2f})",
    ]


def speed(runs: Sequence[Record], replayed: dict[str, Any]) -> str:
    """What the judging costs: a run teaches for 14 of its 32 days without a question."""
    timed = [run["speed"] for run in runs if run["speed"]]
    rows = []
    if timed:
        seconds = sum(run["seconds"] for run in timed)
        rows += [
            ["microseconds an observation", f"{_each(timed, seconds, 'observations'):,.0f}"],
            ["microseconds a seed result", f"{_each(timed, seconds, 'results'):,.1f}"],
            ["seed results a second", f"{sum(r['results'] for r in timed) / seconds:,.0f}"],
            ["snapshot, kB, largest", f"{max(r['snapshot'] for r in timed) / 1000:,.0f}"],
        ]
    if replayed:
        rows += [
            ["`seedwatch replay` of one run, seconds", f"{replayed['seconds']:.1f}"],
            ["its peak memory, MB", f"{replayed['peak_kb'] / 1000:,.0f}"],
        ]
    return markdown(["cost on one core", ""], rows)


def _each(timed: Sequence[Record], seconds: float, what: str) -> float:
    return 1e6 * seconds / float(sum(run[what] for run in timed))
