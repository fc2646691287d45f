"""Looks that are due: one visit to one mailbox serves all copies that are due there."""

from datetime import datetime, timedelta

from sqlmodel import Session

from monitor.store import jobs


def put(session: Session, seed_id: int, provider: str, *, due_at: datetime) -> None:
    """Put a look into a seed mailbox, at the full minute after *due_at*.

    Looks that fall into the same minute are one job, whoever asks for them.
    """
    moment = _full_minute(due_at)
    jobs.put(
        session,
        "look",
        {"seed": seed_id},
        unique_key=f"look:{seed_id}:{moment:%Y%m%d%H%M}",
        due_at=moment,
        lane=f"look:{provider}",
    )


def _full_minute(moment: datetime) -> datetime:
    floor = moment.replace(second=0, microsecond=0)
    return floor if floor == moment else floor + timedelta(minutes=1)
