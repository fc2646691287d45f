"""End: after the last look, no copy of a test is left without a word."""

from datetime import datetime

from sqlmodel import Session

from monitor.core.placements import Placement, Sighting
from monitor.store import sightings


def end(session: Session, *, test_id: int, now: datetime) -> int:
    """Write down as `unknown` what could not be looked at in time; return how many copies.

    That is so for copies that were never handed over, and where nothing ran while their
    looks were due. It says nothing about the provider.
    """
    left = sightings.undecided(session, test_id)
    sightings.add(
        session,
        [
            (copy_id, Sighting(now, Placement.UNKNOWN, reason=f"the test has ended: {why}"))
            for copy_id, why in left
        ],
    )
    return len(left)
