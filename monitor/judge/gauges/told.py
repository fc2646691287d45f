"""A case about a gauge: whom it covers, when it began, and whether it is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.core.incidents import Cause, State
from monitor.judge.cases import Case
from monitor.judge.claims import Claim
from monitor.judge.docket import place_of
from monitor.judge.gauges.recent import Row, showing
from monitor.judge.trend import MOST_BAD, MOST_GOOD, UNKNOWN_BEFORE_H, Start
from monitor.judge.turns import NO_TURN, Turn, turn

HALF = 0.5  # of the excess that was told of: what shows less is good again


@dataclass(slots=True)
class GaugeCase:
    """An incident that shows on a gauge. `size` is its usual excess, on the gauge's scale."""

    gauge: str
    case: Case
    size: float

    @property
    def claim(self) -> Claim:
        return self.case.claim

    @property
    def place(self) -> str:
        """Where its readings are kept: the provider's, or those of all mail ("")."""
        return self.claim.provider or ""

    @property
    def was_confirmed(self) -> bool:
        """Was it more than a suspicion? One that was dropped has nothing that healed."""
        is_over = self.case.state is State.CLOSED
        return self.case.healed is not None if is_over else self.case.state is not State.SUSPECTED

    def concerns(self, provider: str, sender: str, esps: Sequence[str]) -> bool:
        claim = self.claim
        return (
            claim.provider in {None, provider}
            and claim.sender in {None, sender}
            and (claim.esp is None or claim.esp in esps)
        )

    def accounts_for(self, sent: float) -> bool:
        """Was mail of this hour sent while it lasted? A suspicion that was dropped never did."""
        until = self.case.healed
        if until is None and not self.case.is_open:
            return False
        return self.case.start.low <= sent and (until is None or sent < until)

    def losses(self, rows: Sequence[Row]) -> list[tuple[float, str, float]]:
        """Hour, sender and loss of each campaign of those hit, newest first."""
        hit = set(self.case.hit)
        return [
            (row.sent, row.sender, loss(row.excess, self.size))
            for row in sorted(rows, key=lambda r: (-r.sent, r.test))
            if row.sender in hit
        ]

    def turns(self, rows: Sequence[Row]) -> tuple[Turn, Turn]:
        """The best evidence that it is over, and that it has come back since."""
        case, told = self.case, self.losses(rows)
        since = case.start.first if case.back is None else case.back
        several = len(case.hit) > 1
        ending = turn([c for c in told if c[0] >= since], -1.0, several=several)
        if case.healed is None:
            return ending, NO_TURN
        return ending, turn([c for c in told if c[0] >= case.healed], 1.0, several=several)

    def snapshot(self) -> list[Any]:
        return [self.gauge, self.size, self.case.snapshot()]

    @classmethod
    def restore(cls, row: list[Any]) -> "GaugeCase":
        gauge, size, case = row
        return cls(gauge, Case.restore(case), size)


def loss(excess: float, size: float) -> float:
    """What one campaign says for an incident of this size, in bounded nats; below 0 against."""
    return max(-MOST_GOOD, min(MOST_BAD, MOST_BAD * (excess / (HALF * size) - 1)))


def start(rows: Sequence[Row], hit: Sequence[str], size: float) -> Start | None:
    """Since when the mail of those *hit* shows it: where later mail says most for it."""
    asked = sorted((row for row in rows if row.sender in hit), key=lambda r: (-r.sent, r.test))
    best, total, first = 0.0, 0.0, None
    for number, row in enumerate(asked):
        total += loss(row.excess, size)
        if total > best:
            best, first = total, number
    if first is None:
        return None
    high = asked[first].sent
    before = asked[first + 1].sent if first + 1 < len(asked) else high - UNKNOWN_BEFORE_H
    return Start(before, high, high)


def hits(rows: Sequence[Row], now: float, span_h: float, least: float) -> list[str]:
    """Senders whose mail of the last *span_h* hours shows an excess, those hit first first."""
    recent = [row for row in rows if 0 <= now - row.at <= span_h]
    recent.sort(key=lambda r: (r.sent, r.test))
    return [sender for sender, is_hit in showing(recent, least).items() if is_hit]


def place_told(gauge: str, claim: Claim) -> str:
    """The part of an incident's id that tells its place and gauge."""
    return f"{place_of(claim)}-{gauge.removesuffix('_h')}"


def fewest_hit(claim: Claim) -> int:
    return 1 if claim.cause is Cause.SENDER else 2
