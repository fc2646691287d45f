"""Audiences as rows: how many recipients of a list each provider has."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete
from sqlmodel import Session, col, select

from monitor.core.errors import NotFoundError
from monitor.core.exposure import Exposure
from monitor.store.columns import saved
from monitor.store.route_tables import AudienceRow
from monitor.store.tables import SenderRow


@dataclass(frozen=True, slots=True)
class Audience:
    """A list as it was counted last."""

    exposure: Exposure
    measured_at: datetime


def keep(
    session: Session,
    organisation_id: int,
    sender_id: int | None,
    exposure: Exposure,
    *,
    now: datetime,
) -> None:
    """Keep what a list was found to be, in place of what was known; the caller commits.

    Args:
        sender_id: whose list it is; None: the whole organisation's.
    """
    session.execute(delete(AudienceRow).where(_of(organisation_id, sender_id)))
    session.add_all(
        AudienceRow(
            organisation_id=organisation_id,
            sender_id=sender_id,
            provider=provider,
            recipients=recipients,
            total=exposure.total,
            measured_at=now,
        )
        for provider, recipients in exposure.recipients.items()
    )
    session.flush()


def find(session: Session, organisation_id: int, sender_id: int | None) -> Audience | None:
    """Return what is known of a list; None if it was never counted."""
    rows = session.exec(select(AudienceRow).where(_of(organisation_id, sender_id))).all()
    if not rows:
        return None
    recipients = {row.provider: row.recipients for row in rows}
    return Audience(Exposure(recipients), max(row.measured_at for row in rows))


def sender_of(session: Session, organisation_id: int, domain: str) -> int:
    """Return the id of the organisation's sender with this From domain.

    Raises:
        NotFoundError: it has none.
    """
    row = session.exec(
        select(SenderRow.id).where(
            col(SenderRow.organisation_id) == organisation_id,
            col(SenderRow.from_domain) == domain.lower(),
        )
    ).first()
    if row is None:
        raise NotFoundError(
            f"there is no sender {domain!r}.",
            remedy="Name the From domain of a campaign that was tested here.",
        )
    return saved(row)


def _of(organisation_id: int, sender_id: int | None) -> ColumnElement[bool]:
    sender = col(AudienceRow.sender_id)
    is_meant = sender.is_(None) if sender_id is None else sender == sender_id
    return and_(col(AudienceRow.organisation_id) == organisation_id, is_meant)
