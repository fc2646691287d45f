"""Trouble of this installation: opened once, kept up to date, closed when it is over.

None of these functions commits: the caller does, together with whatever belongs to the same
change. Who is told of it, steps/tend decides.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from monitor.core.routes import Severity
from monitor.core.upkeep import Trouble
from monitor.store import upkeep
from monitor.store.route_tables import OPEN, TroubleRow

TROUBLE = SQLModel.metadata.tables["trouble"]
MAX_KEY = 200  # characters
MAX_WORDS = 1000


def open_trouble(
    session: Session, key: str, sentence: str, remedy: str, severity: Severity, now: datetime
) -> None:
    """Write down that there is trouble; if it is open already, that it still is, and how now.

    Safe in several processes at once: at most one trouble of a key is open at any time.

    Args:
        key: what is in trouble, "queue", "feed:google"; one that is longer than 200 is cut.
        sentence: what is wrong; a text from outside may stand in it: it is made printable.
        remedy: what to do about it.
    """
    fresh = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    told = {"sentence": _plain(sentence), "remedy": _plain(remedy), "severity": severity}
    new = fresh.insert(TROUBLE).values(key=key[:MAX_KEY], opened_at=now, seen_at=now, **told)
    session.execute(
        new.on_conflict_do_update(
            index_elements=[TROUBLE.c.key],
            index_where=OPEN,
            set_={name: new.excluded[name] for name in ("seen_at", *told)},
        )
    )


def close_trouble(session: Session, key: str, now: datetime) -> None:
    """Write down that this trouble is over; nothing if it is not open."""
    session.execute(
        update(TROUBLE)
        .where(TROUBLE.c.key == key[:MAX_KEY], TROUBLE.c.closed_at.is_(None))
        .values(closed_at=now)
    )


def open_troubles(session: Session) -> Sequence[TroubleRow]:
    """Return all trouble that there is now, the first first."""
    still = select(TroubleRow).where(col(TroubleRow.closed_at).is_(None))
    return session.exec(still.order_by(col(TroubleRow.opened_at), col(TroubleRow.id))).all()


def known(session: Session, *, now: datetime) -> list[Trouble]:
    """Return all trouble that there is now, as pages and the doctor tell it.

    Late work is looked for here as well: without a worker, nobody else would.
    """
    rows = open_troubles(session)
    told = [Trouble(row.key, row.sentence, row.remedy, row.severity) for row in rows]
    late = upkeep.queue(session, now=now)
    return [*late, *(one for one in told if one.key != upkeep.QUEUE)]


def closed_since(session: Session, since: datetime) -> Sequence[TroubleRow]:
    """Return the trouble that ended at *since* or later, the first first."""
    over = select(TroubleRow).where(col(TroubleRow.closed_at) >= since)
    return session.exec(over.order_by(col(TroubleRow.id))).all()


def _plain(words: str) -> str:
    return "".join(c if c.isprintable() else " " for c in words[:MAX_WORDS])
