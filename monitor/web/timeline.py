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
    Outcome.UNCERTAIN: "perhaps handed over: we were cut off",
    Outcome.FAILED: "not handed over",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of a copy's timeline."""

    at: datetime
    tone: str  # a placement's or an outcome's word, for icon and colour
    what: str
    detail: str = ""  # may hold a stranger's words
    looks: int = 1
    until: datetime | None = None  # of the last of several equal looks


def timeline(attempts: Iterable[Attempt], sightings: Sequence[Sighting]) -> list[Moment]:
    """Return each attempt and each change among *sightings*, in order of time.

    Looks that repeat what the one before told are counted in its entry.
    """
    moments = [_attempt(a) for a in attempts] + _looks(sightings)
    return sorted(moments, key=lambda m: m.at)


def _attempt(attempt: Attempt) -> Moment:
    if attempt.outcome is None:
        return Moment(attempt.started_at, "pending", "being handed over")
    reply = [str(attempt.code or ""), attempt.enhanced, attempt.text]
    return Moment(
        at=attempt.finished_at or attempt.started_at,
        tone=str(attempt.outcome),
        what=_OUTCOMES[attempt.outcome],
        detail=" ".join(part for part in reply if part),
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
        looks=len(looks),
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
