"""From domains as rows: claimed, proven in the DNS, and withdrawn when the proof is gone."""

import random
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, or_, select

from monitor.core.domain_proof import GRACE, covering, is_due, is_proof
from monitor.store.route_tables import DomainRow

ABSENT = "the record is not in the DNS"
OTHER = "there is a record, but with another text"
SILENT = "the DNS gave no answer"


def is_proven(session: Session, organisation_id: int, domain: str) -> bool:
    """Has the organisation proven that *domain*, or one above it, is its own?"""
    found = select(DomainRow.id).where(
        col(DomainRow.organisation_id) == organisation_id,
        col(DomainRow.domain).in_(covering(domain)),
        col(DomainRow.proven_at).is_not(None),
    )
    return session.exec(found.limit(1)).first() is not None


def claim(
    session: Session, organisation_id: int, domain: str, *, now: datetime, rng: random.Random
) -> DomainRow:
    """Return the row of *domain*; a new one, with a token of its own, at the first time.

    It proves nothing yet. The caller commits; whoever claims the same at the same moment gets
    an IntegrityError there, and finds the row when asking again.
    """
    row = find(session, organisation_id, domain)
    if row is None:
        row = DomainRow(
            organisation_id=organisation_id,
            domain=domain.lower(),
            token=f"{rng.getrandbits(128):032x}",
            created_at=now,
        )
        session.add(row)
        session.flush()
    return row


def find(session: Session, organisation_id: int, domain: str) -> DomainRow | None:
    """Return the row of exactly this domain."""
    return session.exec(
        select(DomainRow).where(
            col(DomainRow.organisation_id) == organisation_id,
            col(DomainRow.domain) == domain.lower(),
        )
    ).first()


def of_organisation(session: Session, organisation_id: int) -> list[DomainRow]:
    """Return an organisation's domains by name."""
    mine = select(DomainRow).where(col(DomainRow.organisation_id) == organisation_id)
    return list(session.exec(mine.order_by(col(DomainRow.domain))).all())


def due(session: Session, *, now: datetime, limit: int) -> list[DomainRow]:
    """Return the domains whose record is to be looked at, those never looked at first."""
    rows = session.exec(
        select(DomainRow).order_by(col(DomainRow.checked_at).nulls_first(), col(DomainRow.id))
    )
    found = (row for row in rows if _is_due(row, now))
    return [row for row, _ in zip(found, range(limit), strict=False)]


def note(row: DomainRow, texts: Sequence[str] | None, *, now: datetime) -> bool:
    """Write down what the DNS said of a domain; the caller commits.

    A proof outlives its record by a week: a zone may be mended in that time. Silence is no
    answer, and takes nothing away.

    Args:
        texts: the TXT records of its name; None: no answer.
    Returns:
        whether the proof has just been withdrawn.
    """
    row.checked_at = now
    if texts is None:
        row.problem = SILENT
        return False
    if is_proof(texts, row.token):
        row.proven_at = row.proven_at or now
        row.problem, row.missing_since, row.withdrawn_at = "", None, None
        return False
    row.problem = OTHER if texts else ABSENT
    if row.proven_at is None:
        return False
    row.missing_since = row.missing_since or now
    if now - row.missing_since < GRACE:
        return False
    row.proven_at, row.missing_since, row.withdrawn_at = None, None, now
    return True


def troubled(session: Session) -> list[DomainRow]:
    """Return the domains whose proof is gone, or about to go: their alerts end with it.

    For the operator, who hears while there is time to mend it.
    """
    gone = or_(col(DomainRow.withdrawn_at).is_not(None), col(DomainRow.missing_since).is_not(None))
    return list(session.exec(select(DomainRow).where(gone).order_by(col(DomainRow.id))).all())


def _is_due(row: DomainRow, now: datetime) -> bool:
    settled = row.proven_at is not None and row.missing_since is None
    return is_due(row.created_at, row.checked_at, is_settled=settled, now=now)
