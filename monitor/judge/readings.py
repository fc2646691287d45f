"""Delays and scores in the records of a stream."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from monitor.judge.fields import RecordError, shown
from monitor.judge.gauges.kinds import DELAY, KINDS

LARGEST = 10_000.0  # hours of delay, or points: what is more is a mistake
SCORES = KINDS.keys() - {DELAY}

Readings = Mapping[str, Mapping[str, float]]  # by gauge and seed


def read(
    record: Mapping[str, Any],
    before: Readings,
    seeds: Collection[str],
    name_of: Callable[[object], str],
) -> Readings:
    """Return what is known after a check, by gauge and seed.

    Args:
        before: the same after the check before it.
        seeds: names of those that the check is about.
        name_of: the name of a seed that a record tells by number or name.
    Raises:
        RecordError: a gauge, a seed or a figure that is none.
    """
    if "delay" not in record and "scores" not in record:
        return before
    told = {DELAY: record["delay"]} if "delay" in record else {}
    scores = record.get("scores", {})
    if not isinstance(scores, dict) or not scores.keys() <= SCORES:
        raise RecordError("scores: is not an object of bcl, scl and score")
    found = {gauge: dict(values) for gauge, values in before.items()}
    for gauge, values in (told | scores).items():
        if not isinstance(values, dict):
            raise RecordError("delay, scores: is not an object of seed and number")
        known = found.setdefault(gauge, {})
        for number, value in values.items():
            seed = name_of(number)
            if seed not in seeds:
                raise RecordError(f"delay, scores: {shown(number)} is no seed of this check")
            known[seed] = _figure(value, gauge)
    return found


def _figure(value: object, gauge: str) -> float:
    least = 0.0 if gauge == DELAY else -LARGEST
    if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= LARGEST:
        return float(value)
    raise RecordError(f"delay, scores: {shown(value)} is no {gauge}")
