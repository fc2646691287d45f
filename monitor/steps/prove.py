"""Prove: look whether the From domains that were claimed are proven in the DNS."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session

from monitor.core.domain_proof import record_for
from monitor.store import domains
from monitor.store.route_tables import DomainRow

AT_ONCE = 500  # domains of one turn; the rest comes with the next one

# TXT records of each name; None without an answer.
AskTexts = Callable[[Sequence[str]], Mapping[str, Sequence[str] | None]]


def prove(session: Session, ask: AskTexts, *, now: datetime) -> list[DomainRow]:
    """Look at each domain whose turn it is; return those whose proof is withdrawn by this.

    The caller commits. A domain that the DNS does not answer about stays what it was.
    """
    return look(session, domains.due(session, now=now, limit=AT_ONCE), ask, now=now)


def look(
    session: Session, rows: Sequence[DomainRow], ask: AskTexts, *, now: datetime
) -> list[DomainRow]:
    """Look at *rows* now; return those whose proof is withdrawn by this. The caller commits."""
    names = {row.id: record_for(row.domain, row.token).name for row in rows}
    said = ask(list(dict.fromkeys(names.values())))
    lost = [row for row in rows if domains.note(row, said.get(names[row.id]), now=now)]
    session.add_all(rows)
    return lost
