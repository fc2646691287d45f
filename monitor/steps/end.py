"""End: after the last look, no copy of a test is left without a word."""

from datetime import datetime

from sqlmodel import Session

from monitor.core.departures import YOURS
from monitor.core.placements import LADDER, Placement, Sighting
from monitor.store import expected, sightings
from monitor.store.tables import TestRow


def end(session: Session, *, test_id: int, now: datetime) -> int:
    """Write down as `unknown` what could not be looked at in time; return how many copies.

    That is so for copies that were never handed over, and where nothing ran while their
    looks were due. It says nothing about the provider. Of a campaign that the sender's own
    service was to send, and that came to no seed, nobody knows whether it was sent.
    """
    left = [
        (copy_id, f"the test has ended: {why}")
        for copy_id, why in sightings.undecided(session, test_id)
    ]
    test = session.get_one(TestRow, test_id)
    if test.transport == YOURS:
        if not expected.has_arrived(session, test_id):
            left = [(copy_id, expected.NOT_ARRIVED) for copy_id, _ in left]
        elif now < test.send_at + LADDER[-1]:
            return 0  # it came: its end is due later
    sightings.add(
        session,
        [(copy_id, Sighting(now, Placement.UNKNOWN, reason=why)) for copy_id, why in left],
    )
    return len(left)
