"""What came of one test, in a sentence. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.placements import Placement
from monitor.web.filters import counted, listed
from monitor.web.shares import ProviderView

_WENT = {
    Placement.SPAM: ("went to spam", "went to spam"),
    Placement.QUARANTINE: ("went to quarantine", "went to quarantine"),
    Placement.REMOVED: ("was removed after delivery", "were removed after delivery"),
    Placement.REJECTED: ("was rejected", "were rejected"),
    Placement.MISSING: ("is missing", "are missing"),
}
_MOST_NAMES = 2
_FAIR = 0.8  # the share from which on a test came out fairly well


@dataclass(frozen=True, slots=True)
class Outcome:
    """The sentence on top of a test's page, and the drawing beside it."""

    look: str  # "good", "mixed", "bad" or "none"
    sentence: str


def outcome(views: Sequence[ProviderView]) -> Outcome:
    """Say how many of a test's copies arrived, and where the others are."""
    sent = sum(v.current.n if v.current else 0 for v in views)
    arrived = sum(v.current.arrived if v.current else 0 for v in views)
    open_ones = _open_ones(views)
    if not sent:
        return Outcome("none", f"Nothing is known yet{': ' if open_ones else ''}{open_ones}.")
    rest = f" {open_ones[0].upper()}{open_ones[1:]}." if open_ones else ""
    if arrived == sent:
        return Outcome("good", f"{_all(sent, is_so_far=bool(rest))}{rest}")
    most_first = sorted(_WENT, key=lambda placement: -_n(placement, views))
    lost = [_lost(placement, views) for placement in most_first if _n(placement, views)]
    look = "mixed" if arrived / sent >= _FAIR else "bad"
    said = f"{arrived} of {counted(sent, 'copy', 'copies')} arrived; {listed(lost)}."
    return Outcome(look, f"{said}{rest}")


def _all(n: int, *, is_so_far: bool) -> str:
    if is_so_far:
        return f"{counted(n, 'copy was', 'copies were')} seen so far, and arrived."
    return f"All {n} copies arrived." if n > 1 else "The one copy arrived."


def _n(placement: Placement, views: Sequence[ProviderView]) -> int:
    return sum(v.counts.get(placement, 0) for v in views)


def _lost(placement: Placement, views: Sequence[ProviderView]) -> str:
    """Say what became of the copies of one *placement*: "4 went to spam at Yahoo"."""
    names = [v.name for v in views if v.counts.get(placement, 0)]
    known = sum(1 for v in views if v.current)
    where = listed(names) if len(names) <= _MOST_NAMES else f"{len(names)} providers"
    if len(names) == known > _MOST_NAMES:
        where = f"all {known} providers"
    n = _n(placement, views)
    return f"{n} {_WENT[placement][n > 1]} at {where}"


def _open_ones(views: Sequence[ProviderView]) -> str:
    """The copies in no rate: "3 copies are not seen yet, 1 could not be looked for"."""
    pending, unknown = sum(v.pending for v in views), sum(v.unknown for v in views)
    own = sum(v.contaminated for v in views)
    said = [
        f"{counted(pending, 'copy was', 'copies were')} not seen yet" if pending else "",
        f"{counted(unknown, 'copy', 'copies')} could not be looked for" if unknown else "",
        f"{counted(own, 'copy was', 'copies were')} placed by the mailbox’s own rules"
        if own
        else "",
    ]
    return listed(words for words in said if words)
