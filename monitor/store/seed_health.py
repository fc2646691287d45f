"""How reading each seed mailbox goes: written with every look, so that trouble and its end show.

A seed that cannot be read says nothing about mail: its copies are `unknown` (steps/read).
What is kept here is for people: since when it fails, why, what to do, and when it was over.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from monitor.core.campaigns import Found, Wanted
from monitor.core.clock import Clock
from monitor.core.errors import SeedwatchError
from monitor.core.ports import Mailbox, PartlyReadError
from monitor.store.columns import saved
from monitor.store.tables import SeedHealthRow, SeedRow

HEALTH = SQLModel.metadata.tables["seed_health"]
MAX_WORDS = 500


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to read a seed mailbox, and how it ended."""

    seed_id: int
    tried_at: datetime
    latency_s: float
    error: SeedwatchError | None = None

    @property
    def is_read(self) -> bool:
        """Did the mailbox answer? It did too where only the tenant's log behind it did not."""
        return self.error is None or isinstance(self.error, PartlyReadError)


def record(session: Session, attempt: Attempt) -> None:
    """Write down how an attempt ended; one that is not newer than the last one changes nothing.

    So the same attempt may be written twice, and two workers may look at the same time.
    """
    fresh = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    new = fresh.insert(HEALTH).values(_first(attempt))
    old = HEALTH.c
    if attempt.is_read:
        told = {
            "read_at": new.excluded.read_at,
            "failures": 0,
            "failing_since": None,
            "recovered_at": case((old.failures > 0, new.excluded.tried_at), else_=old.recovered_at),
            "latency_s": new.excluded.latency_s,
        }
    else:
        told = {
            "failures": old.failures + 1,
            "failing_since": func.coalesce(old.failing_since, new.excluded.tried_at),
        }
    always = {name: new.excluded[name] for name in ("tried_at", "problem", "remedy")}
    session.execute(
        new.on_conflict_do_update(
            index_elements=[old.seed_id],
            set_={**always, **told},
            where=new.excluded.tried_at > old.tried_at,
        )
    )


def _first(attempt: Attempt) -> Mapping[str, object]:
    """The row of a seed of which nothing is known yet."""
    error, moment = attempt.error, attempt.tried_at
    return {
        "seed_id": attempt.seed_id,
        "tried_at": moment,
        "read_at": moment if attempt.is_read else None,
        "failures": 0 if attempt.is_read else 1,
        "failing_since": None if attempt.is_read else moment,
        "recovered_at": None,
        "latency_s": attempt.latency_s if attempt.is_read else None,
        "problem": _bounded(error.what if error else ""),
        "remedy": _bounded(error.remedy if error else ""),
    }


def _bounded(words: str) -> str:
    return "".join(c if c.isprintable() else " " for c in words[:MAX_WORDS])


def of_seeds(session: Session, seed_ids: Sequence[int] | None = None) -> list[SeedHealthRow]:
    """Return what is known of these seeds, or of all; who was never tried is left out."""
    rows = select(SeedHealthRow).order_by(col(SeedHealthRow.seed_id))
    if seed_ids is not None:
        rows = rows.where(col(SeedHealthRow.seed_id).in_(seed_ids))
    return list(session.exec(rows).all())


def noting(
    session: Session, open_mailbox: Callable[[SeedRow], Mailbox], clock: Clock
) -> Callable[[SeedRow], Mailbox]:
    """Return an *open_mailbox* that writes down how each look goes; nothing else changes.

    It writes when the look is over, so that no transaction waits for the network.
    """
    return lambda seed: _Noting(session, seed, open_mailbox, clock)


class _Noting:
    """A mailbox whose looks are written down. That it cannot even be opened is one of them."""

    def __init__(
        self,
        session: Session,
        seed: SeedRow,
        open_mailbox: Callable[[SeedRow], Mailbox],
        clock: Clock,
    ) -> None:
        self._session = session
        self._seed = seed
        self._open = open_mailbox
        self._clock = clock

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        tried_at = self._clock.now()
        try:
            found = self._open(self._seed).look(wanted)
        except SeedwatchError as error:
            self._note(tried_at, error)
            raise
        self._note(tried_at, None)
        return found

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        return self._open(self._seed).read(message_id, limit=limit)

    def close(self) -> None:
        self._open(self._seed).close()

    def _note(self, tried_at: datetime, error: SeedwatchError | None) -> None:
        latency_s = (self._clock.now() - tried_at).total_seconds()
        record(self._session, Attempt(saved(self._seed.id), tried_at, latency_s, error))
