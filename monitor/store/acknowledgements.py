"""Who knows of an incident: then its organisation is not reminded, for good or until a time."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from monitor.store.route_tables import AcknowledgementRow

_SAME = timedelta(minutes=5)  # two clicks, or a form that was sent twice


def state(
    session: Session, organisation_id: int, incident: str, now: datetime
) -> AcknowledgementRow | None:
    """Return the acknowledgement that holds *now*; None if reminders are due.

    To acknowledge holds for as long as the incident lasts; of snoozes the latest one counts,
    be it shorter than an earlier one.
    """
    return _holding(_rows(session, organisation_id, incident), now)


def acknowledge(
    session: Session,
    organisation_id: int,
    incident: str,
    *,
    by: str,
    now: datetime,
    until: datetime | None = None,
) -> AcknowledgementRow:
    """Write down that somebody knows of *incident*; return what holds now. The caller commits.

    Repeated, it adds nothing. Reminders are off for good without *until*.
    """
    rows = _rows(session, organisation_id, incident)
    known = _holding(rows, now)
    if known is not None and (known.until is None or _is_same(known, by, until)):
        return known
    row = AcknowledgementRow(
        organisation_id=organisation_id, incident=incident, at=now, until=until, by=by[:320]
    )
    session.add(row)
    session.flush()
    return row


def of_incident(session: Session, incident: str, *, limit: int = 20) -> list[AcknowledgementRow]:
    """Return who has acknowledged or snoozed *incident*, the latest first."""
    rows = select(AcknowledgementRow).where(col(AcknowledgementRow.incident) == incident)
    return list(session.exec(rows.order_by(col(AcknowledgementRow.id).desc()).limit(limit)).all())


def _rows(session: Session, organisation_id: int, incident: str) -> list[AcknowledgementRow]:
    """All of one organisation about one incident, oldest first."""
    rows = select(AcknowledgementRow).where(
        col(AcknowledgementRow.incident) == incident,
        col(AcknowledgementRow.organisation_id) == organisation_id,
    )
    return list(session.exec(rows.order_by(col(AcknowledgementRow.id))).all())


def _holding(rows: Iterable[AcknowledgementRow], now: datetime) -> AcknowledgementRow | None:
    latest = None
    for row in rows:
        if row.until is None:
            return row
        latest = row
    return latest if latest and latest.until and latest.until > now else None


def _is_same(known: AcknowledgementRow, by: str, until: datetime | None) -> bool:
    if known.until is None or until is None or known.by != by[:320]:
        return False
    return abs(known.until - until) <= _SAME
