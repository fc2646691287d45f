"""What happened to one copy, from handing it over to the latest look. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from monitor.core.campaigns import Outcome
from monitor.core.placements import Placement, Sighting
from monitor.store.pages_tests import Attempt

_OUTCOMES = {
    Outcome.ACCEPTED: "handed over",
    Outcome.DEFERRED: "deferred by the server",
    Outcome.REJECTED: "refused by the server",
    Outcome.UNCERTAIN: "perhaps handed over",
    Outcome.FAILED: "not handed over",
}

_MOST, _FIRST = 16, 4


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of a copy's timeline."""

    at: datetime
    tone: str  # a placement's or an outcome's word, for icon and colour
    what: str
    detail: str = ""  # may hold a stranger's words
    times: int = 1
    until: datetime | None = None  # of the last of several equal ones


def timeline(attempts: Iterable[Attempt], sightings: Sequence[Sighting]) -> list[Moment]:
    """Return the attempts and each change among *sightings*, in order of time.

    What repeats the entry before it is counted there; of very many, the middle is left out.
    """
    tried = groupby(attempts, key=lambda a: (a.outcome, a.code, a.enhanced))
    moments = [_attempts(list(equal)) for _, equal in tried] + _looks(sightings)
    moments.sort(key=lambda m: m.at)
    if len(moments) <= _MOST:
        return moments
    cut = moments[_FIRST : _FIRST - _MOST]
    gap = Moment(cut[0].at, "pending", f"{len(cut)} more entries", until=cut[-1].at)
    return [*moments[:_FIRST], gap, *moments[_FIRST - _MOST :]]


def _attempts(equal: Sequence[Attempt]) -> Moment:
    first, last = equal[0], equal[-1]
    if first.outcome is None:
        return Moment(first.started_at, "pending", "being handed over")
    reply = [str(last.code or ""), last.enhanced, last.text]
    return Moment(
        at=first.finished_at or first.started_at,
        tone=str(first.outcome),
        what=_OUTCOMES[first.outcome],
        detail=" ".join(part for part in reply if part),
        times=len(equal),
        until=(last.finished_at or last.started_at) if len(equal) > 1 else None,
    )


def _looks(sightings: Sequence[Sighting]) -> list[Moment]:
    moments: list[Moment] = []
    before: Placement | None = None
    for _, group in groupby(sightings, key=lambda s: (s.placement, s.folder, s.tab)):
        looks = list(group)
        moments.append(_look(before, looks))
        if looks[-1].placement.is_decided:
            before = looks[-1].placement
    return moments


def _look(before: Placement | None, looks: Sequence[Sighting]) -> Moment:
    first = looks[0]
    return Moment(
        at=first.looked_at,
        tone=str(first.placement),
        what=_what(before, first.placement),
        detail=_detail(looks[-1]),
        times=len(looks),
        until=looks[-1].looked_at if len(looks) > 1 else None,
    )


def _what(before: Placement | None, now: Placement) -> str:
    plain = {
        Placement.PENDING: "not there yet",
        Placement.UNKNOWN: "could not look",
        Placement.REMOVED: "removed after delivery",
        Placement.MISSING: "missing: the time for it to arrive is over",
        Placement.REJECTED: "rejected",
    }
    if now in plain:
        return plain[now]
    if before is Placement.REMOVED and now.is_in_mailbox:
        return f"restored to {_place(now)}"
    if before is None or before is Placement.MISSING:
        return f"seen in {_place(now)}"
    return f"still in {_place(now)}" if before is now else f"moved to {_place(now)}"


def _place(placement: Placement) -> str:
    return {
        Placement.INBOX: "the inbox",
        Placement.TAB: "a tab",
        Placement.SPAM: "spam",
        Placement.QUARANTINE: "quarantine",
    }.get(placement, str(placement))


def _detail(look: Sighting) -> str:
    words = [
        f"folder {look.folder}" if look.folder else "",
        f"tab {look.tab}" if look.tab else "",
        look.reason,
        "placed by the mailbox’s own lists or rules, so not judged" if look.contaminated else "",
    ]
    return "; ".join(word for word in words if word)
