"""Match: say which incidents the providers' advisories tell of."""

from datetime import datetime, timedelta

from sqlmodel import Session

from monitor.store import advisories
from monitor.store.pages_incidents import relevant

RECENT = timedelta(days=7)  # providers admit some things long after they are over


def match(session: Session, *, now: datetime) -> int:
    """Match all open and recent incidents; return how many have an advisory. The caller commits.

    What has been matched before is matched anew: advisories are revised, and so are incidents.
    """
    found = relevant(session, since=now - RECENT)
    return sum(bool(advisories.relate(session, incident, now=now)) for incident in found)
