"""Publish how each provider's filter is doing, from everybody's mail, naming nobody's.

A block of mail is counted once, when it is over, and its figures are never counted again: two
rows of overlapping mail could be subtracted, and would tell of the few copies that differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlmodel import Session

from monitor.core.filter_states import BLOCK, Cell, Finding, block_before, judged
from monitor.core.incidents import Direction, Incident
from monitor.store import filter_states as rows
from monitor.store.feed_tables import FilterStateRow
from monitor.store.pages import seeded_providers
from monitor.store.pages_incidents import relevant
from monitor.store.rows import insert_once

EVERY = timedelta(minutes=15)


def publish(session: Session, names: Mapping[str, str], *, now: datetime) -> int:
    """Write a row for each provider of which something has changed; return how many.

    Args:
        names: provider id to what people call it. The caller commits.
    """
    at = now - (now - datetime.min.replace(tzinfo=now.tzinfo)) % EVERY
    block = block_before(at)
    fresh = rows.cells(session, since=block, until=block + BLOCK)
    incidents = [i for i in relevant(session, since=now) if _blames_filter(i)]
    known = rows.history(session, since=now - rows.KEPT)
    new = []
    for provider in sorted(seeded_providers(session)):
        told = known.get(provider, [])
        cell = _cell(told, block, fresh.get(provider, Cell()))
        mine = [i for i in incidents if i.latest.provider == provider]
        before = list({block_before(r.at): r.lost for r in told if r.lost is not None}.values())
        finding = judged(names.get(provider, provider), cell, mine, before)
        if _is_news(told, finding, cell, at):
            new.append(_row(provider, at, finding, cell))
    insert_once(session, FilterStateRow, new)
    rows.forget(session, now=now)
    return len(new)


def _blames_filter(incident: Incident) -> bool:
    latest = incident.latest
    is_worse = latest.direction is Direction.WORSE and not latest.is_foreboding
    return incident.is_open and is_worse and latest.cause.blames_provider


def _cell(told: Sequence[FilterStateRow], block: datetime, fresh: Cell) -> Cell:
    """What is to be published of *block*: what was published of it, if it was."""
    if told and block_before(told[-1].at) == block:
        return _published(told[-1])
    return fresh


def _published(row: FilterStateRow) -> Cell:
    return Cell(row.senders, row.n, row.n_eff, row.lost, row.low, row.high)


def _is_news(told: Sequence[FilterStateRow], finding: Finding, cell: Cell, at: datetime) -> bool:
    if not told or told[-1].at.date() != at.date():
        return True
    last = told[-1]
    said = (last.state, last.sentence, _published(last))
    return at > last.at and said != (finding.state, finding.sentence, cell)


def _row(provider: str, at: datetime, finding: Finding, cell: Cell) -> dict[str, object]:
    said = {"state": str(finding.state), "sentence": finding.sentence[:500]}
    return {"provider": provider, "at": at, **said, **asdict(cell)}
