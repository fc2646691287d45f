"""Where a copy was found, and what a series of looks says about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Placement(StrEnum):
    PENDING = "pending"  # not seen yet, the window is still open
    INBOX = "inbox"
    TAB = "tab"  # delivered, but filed away: Promotions, Other
    SPAM = "spam"
    QUARANTINE = "quarantine"
    REJECTED = "rejected"  # SMTP 5xx or a bounce
    MISSING = "missing"  # the window closed, never seen
    REMOVED = "removed"  # was in the mailbox, then gone or quarantined (ZAP)
    UNKNOWN = "unknown"  # we could not look: says nothing about the copy

    @property
    def is_arrived(self) -> bool:
        """Would a reader who never opens spam or quarantine see the copy?"""
        return self in {Placement.INBOX, Placement.TAB}

    @property
    def is_decided(self) -> bool:
        """Does this placement count in a rate? `pending` and `unknown` do not."""
        return self not in {Placement.PENDING, Placement.UNKNOWN}

    @property
    def is_in_mailbox(self) -> bool:
        return self in {Placement.INBOX, Placement.TAB, Placement.SPAM}


# Looks after the copy was handed over: the first ones catch the delivery, the later
# ones removal after delivery, which Microsoft does for up to 48 h (zero-hour auto
# purge), and mail that comes back from quarantine after that.
LADDER: tuple[timedelta, ...] = tuple(
    timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 120, 240, 480, 24 * 60, 48 * 60, 72 * 60)
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look at one copy. Looks are never changed, only added."""

    looked_at: datetime
    placement: Placement
    folder: str = ""
    tab: str = ""
    reason: str = ""  # why UNKNOWN, or what the provider's log said
    contaminated: bool = False  # placed by the mailbox's own lists or rules: not judged


def decide(
    found: Placement | None,
    before: Iterable[Sighting],
    *,
    age: timedelta,
    window: timedelta,
) -> Placement:
    """Say what one look means, given the looks before it.

    Args:
        found: where the copy is now; None if it is nowhere that we can see.
        before: earlier sightings of the same copy, oldest first.
        age: time since the copy was handed over.
        window: how long a copy may take before it counts as missing.
    """
    last = last_known(before)
    if found is Placement.QUARANTINE and was_delivered(last):
        return Placement.REMOVED
    if found is not None:
        return found
    if last is not None and was_delivered(last):
        return Placement.REMOVED
    if last is not None and last.is_decided:
        return last
    return Placement.MISSING if age >= window else Placement.PENDING


def last_known(sightings: Iterable[Sighting]) -> Placement | None:
    """The latest placement that tells something: an `unknown` look tells nothing."""
    known = [s.placement for s in sightings if s.placement is not Placement.UNKNOWN]
    return known[-1] if known else None


def was_delivered(placement: Placement | None) -> bool:
    """Has the copy, last seen so, been in the mailbox proper?"""
    return placement is not None and (placement.is_in_mailbox or placement is Placement.REMOVED)


@dataclass(frozen=True, slots=True)
class Story:
    """What the sightings of one copy tell together."""

    first: Placement
    current: Placement
    seen_at: datetime | None  # first look that found the copy
    moved_at: datetime | None  # first look that found it elsewhere than before
    restored: bool  # came back after it had been removed

    @property
    def was_removed(self) -> bool:
        return self.current is Placement.REMOVED


def story(sightings: Iterable[Sighting]) -> Story:
    """Tell the story of one copy from its *sightings*, oldest first."""
    known = [s for s in sightings if s.placement.is_decided]
    found = [s for s in known if s.placement is not Placement.MISSING]
    if not known:
        return Story(Placement.PENDING, Placement.PENDING, None, None, False)
    first = known[0].placement
    moves = [s for s in known if s.placement is not first]
    gone = False
    restored = False
    for sighting in known:
        restored = restored or (gone and sighting.placement.is_in_mailbox)
        gone = sighting.placement is Placement.REMOVED
    return Story(
        first=first,
        current=known[-1].placement,
        seen_at=found[0].looked_at if found else None,
        moved_at=moves[0].looked_at if moves else None,
        restored=restored,
    )


def next_look(sent_at: datetime, last_look: datetime | None) -> datetime | None:
    """When the next rung of the ladder is due; None once the ladder is climbed."""
    for rung in LADDER:
        due = sent_at + rung
        if last_look is None or last_look < due:
            return due
    return None
