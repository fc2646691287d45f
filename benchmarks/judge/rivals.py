"""What others do: five usual detectors, each of one provider's pooled share of bad copies.

Every rival turns a stream into scores of providers; an alarm is a score at its line, and
the same provider is not told again for three days. The lines are set on quiet runs to the
same rate of false alarms as the judge's, so that only the method differs. None of them
knows senders, controls or features, and none can name a cause.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

try:
    from river import drift
except ImportError:  # only ADWIN needs it: pip install "seedwatch[bench]"
    drift = None

Record = dict[str, Any]
Told = tuple[float, str, float]  # hour, provider, score
ARRIVED = frozenset({"inbox", "tab"})
COOL_H = 72.0  # after an alarm at a provider
LONG_RUN = 0.002  # weight of the newest cluster in what is usual


class Rival(Protocol):
    """Sees the clusters of one provider in order of time; the higher its score, the worse."""

    def see(self, t: float, bad: int, n: int) -> float: ...


@dataclass(slots=True)
class Threshold:
    """The share of bad copies of the last 24 hours: what the market does, at 20 %."""

    window: deque[tuple[float, int, int]] = field(default_factory=deque)

    def see(self, t: float, bad: int, n: int) -> float:
        self.window.append((t, bad, n))
        while self.window[0][0] < t - 24:
            self.window.popleft()
        return sum(b for _, b, _ in self.window) / sum(n for _, _, n in self.window)


@dataclass(slots=True)
class Usual:
    """The long-run share of bad copies of a provider."""

    share: float = 0.15

    def excess(self, bad: int, n: int) -> float:
        excess = bad / n - self.share
        self.share += LONG_RUN * excess
        return excess


@dataclass(slots=True)
class Ewma:
    """Exponentially weighted mean of the excess over the long-run share."""

    weight: float = 0.08
    usual: Usual = field(default_factory=Usual)
    mean: float = 0.0

    def see(self, t: float, bad: int, n: int) -> float:  # noqa: ARG002
        self.mean += self.weight * (self.usual.excess(bad, n) - self.mean)
        return self.mean


@dataclass(slots=True)
class Cusum:
    """Cumulative sum of the excess over the long-run share, less an allowance."""

    allowance: float = 0.1
    usual: Usual = field(default_factory=Usual)
    total: float = 0.0

    def see(self, t: float, bad: int, n: int) -> float:  # noqa: ARG002
        self.total = max(0.0, self.total + self.usual.excess(bad, n) - self.allowance)
        return self.total


@dataclass(slots=True)
class OwnAdwin:
    """Adaptive windowing: the clearest rise between two parts of the kept shares.

    Source: A. Bifet and R. Gavalda, SIAM Data Mining (2007); here over the last 400
    clusters, cut at powers of two from the end, with the score in standard errors.
    """

    kept: deque[float] = field(default_factory=lambda: deque(maxlen=400))

    def see(self, t: float, bad: int, n: int) -> float:  # noqa: ARG002
        self.kept.append(bad / n)
        values = np.array(self.kept)
        total = len(values)
        sums = np.cumsum(values)
        variance = float(values.var()) + 1e-4
        best, size = 0.0, 8
        while size < total - 8:
            old = float(sums[-size - 1])
            rise = (float(sums[-1]) - old) / size - old / (total - size)
            best = max(best, rise / math.sqrt(variance * (1 / size + 1 / (total - size))))
            size *= 2
        return best


@dataclass(slots=True)
class Adwin:
    """ADWIN as the package `river` has it, at many settings at once.

    Its setting, delta, is no score. So one detector runs for each of DELTAS, and the score
    is how strict the strictest is that finds a rise with this cluster: a line is a delta.
    """

    detectors: list[Any] = field(default_factory=lambda: [_adwin(delta) for delta in DELTAS])

    def see(self, t: float, bad: int, n: int) -> float:  # noqa: ARG002
        best = 0.0
        for delta, detector in zip(DELTAS, self.detectors, strict=True):
            before = detector.estimation
            detector.update(bad / n)
            if detector.drift_detected and detector.estimation > before:
                best = max(best, -math.log10(delta))
        return best


DELTAS = tuple(10 ** (-step / 4) for step in range(1, 25))  # from .56 to 1e-6


def _adwin(delta: float) -> Any:  # noqa: ANN401 - a package that may be absent
    return drift.ADWIN(delta=delta, clock=1)


RIVALS: dict[str, Callable[[], Rival]] = {
    "threshold 24 h": Threshold,
    "EWMA": Ewma,
    "CUSUM": Cusum,
    "windows (own)": OwnAdwin,
}
if drift is not None:
    RIVALS["ADWIN (river)"] = Adwin


def save(stream: Iterable[Record], path: Path) -> None:
    """Keep every rival's scores of one run: columns are time, provider's number, scores."""
    lines = list(stream)
    names = lines[0]["providers"]
    told = {name: list(scores(lines, make)) for name, make in RIVALS.items()}
    first = told[next(iter(RIVALS))]
    columns = {name: np.array([score for _, _, score in rows]) for name, rows in told.items()}
    where = np.array([names.index(provider) for _, provider, _ in first], dtype=np.int16)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, t=np.array([t for t, _, _ in first]), p=where, **columns)
    part.rename(path)


def is_saved(path: Path) -> bool:
    """Are the scores of all rivals of now there?"""
    if not path.exists():
        return False
    with np.load(path) as kept:
        return set(kept.files) >= RIVALS.keys()


def load(path: Path, providers: int, name: str) -> list[Told]:
    """The scores of one rival that `save` has kept."""
    with np.load(path) as kept:
        places = [f"p{number}" for number in range(providers)]
        where = [places[number] for number in kept["p"].tolist()]
        return list(zip(kept["t"].tolist(), where, kept[name].tolist(), strict=True))


def scores(stream: Iterable[Record], make: Callable[[], Rival]) -> Iterator[Told]:
    """The score of each provider after each of its first checks, once counting has begun."""
    rivals: dict[str, Rival] = {}
    start = -math.inf
    for record in stream:
        if record["type"] == "world":
            start = record["evaluate_from"]
        elif record["type"] == "check" and record["chk"] == 0 and record["seeds"]:
            rival = rivals.setdefault(record["p"], make())
            bad = sum(place not in ARRIVED for place in record["bad"].values())
            score = rival.see(record["t"], bad, len(record["seeds"]))
            if record["t"] >= start:
                yield record["t"], record["p"], score


def alarms(told: Iterable[Told], line: float) -> list[tuple[float, str]]:
    """Hour and provider of each alarm at *line*."""
    quiet: dict[str, float] = {}
    found = []
    for t, provider, score in told:
        if score >= line and t >= quiet.get(provider, -math.inf):
            quiet[provider] = t + COOL_H
            found.append((t, provider))
    return found


def line_for(quiet: list[list[Told]], most: int) -> float:
    """The lowest line that gives at most *most* alarms over all of the *quiet* runs."""
    candidates = sorted({score for told in quiet for _, _, score in told})
    candidates.append(math.nextafter(candidates[-1], math.inf) if candidates else math.inf)
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        count = sum(len(alarms(told, candidates[middle])) for told in quiet)
        low, high = (low, middle) if count <= most else (middle + 1, high)
    return candidates[low]


def events(told: Iterable[Told], line: float) -> Iterator[Record]:
    """The alarms in the form that the score reads."""
    for t, provider in alarms(told, line):
        known = {"cause": "provider", "provider": provider, "feature": None, "sender": None}
        name = f"{provider}-{t:.3f}"
        yield {"type": "incident", "t": t, "id": name, "state": "confirmed", **known} | {
            "posterior": {}
        }
