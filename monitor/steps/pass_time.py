"""Pass time: tell the judge that it is later, so that an incident closes without any mail."""

from datetime import datetime

from sqlmodel import Session

from monitor.store import incidents, observations


def pass_time(session: Session, *, now: datetime) -> bool:
    """Tell the judge what time it is and wake it, if some incident is open.

    Returns:
        whether it is told; with no incident open, time changes nothing.
    """
    if not incidents.is_any_open(session):
        return False
    observations.pass_time(session, now=now)
    observations.wake_judge(session, now=now)
    return True
