"""What the readers of seed mailboxes are given: tokens, drops, reports of web hooks."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from monitor.core.clock import Clock
from monitor.mailboxes.budget import Budget
from monitor.mailboxes.drop_index import Drop
from monitor.mailboxes.inbound import ALIVE_FOR, Heard, Reported
from monitor.mailboxes.kinds import ReaderParts
from monitor.settings import Settings
from monitor.store import inbound
from monitor.store.secrets import Vault
from monitor.wiring.tokens import OAuthClients, SeedTokens


@dataclass(frozen=True, slots=True)
class StoredReports:
    """What web hooks have told (`Reports`, see mailboxes/inbound.py), as rows keep it."""

    engine: Engine
    clock: Clock

    def heard(self, address: str, since: datetime | None) -> Heard:
        with Session(self.engine) as session:
            found = inbound.beginnings(session, address, since=since, limit=inbound.SHOWN + 1)
            latest = inbound.last_heard(session, address)
        messages = [
            Reported(one.id, one.folder, one.received_at, one.raw) for one in found[: inbound.SHOWN]
        ]
        return Heard(
            messages,
            is_whole=len(found) <= inbound.SHOWN,
            is_alive=latest is not None and self.clock.now() - latest < ALIVE_FOR,
        )

    def raw(self, key: int, limit: int) -> bytes | None:
        with Session(self.engine) as session:
            raw = inbound.raw_of(session, key)
        return None if raw is None else raw[:limit]


@dataclass(frozen=True, slots=True)
class Rows:
    """Where readers' own rows are, and what opens the secrets in them."""

    engine: Engine
    vault: Vault


def reader_parts(settings: Settings, clock: Clock, rows: Rows | None) -> ReaderParts:
    """Gather what *settings* say of readers. Nothing is connected to yet.

    Args:
        rows: without them there are no tokens and no reports.
    """
    is_open = bool(settings.inbound.key.get_secret_value())
    return ReaderParts(
        timeout_s=settings.reading.timeout_s,
        ca_file=_text(settings.reading.ca_file),
        tokens=SeedTokens(OAuthClients(settings), rows.engine, rows.vault) if rows else None,
        drops={name: Drop(drop.path, drop.form) for name, drop in settings.drops.items()},
        reports=StoredReports(rows.engine, clock) if rows and is_open else None,
        budget=Budget(clock),
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
