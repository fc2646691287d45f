"""Advisories: every version that was published, and which incidents they tell of.

None of these functions commits.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlmodel import Session, col, func, select

from monitor.core.advisories import (
    Match,
    Story,
    kinds_of,
    lead_sentence,
    match,
    merged,
    providers_of,
    successor_of,
)
from monitor.core.incidents import Incident
from monitor.core.ports import Advisory
from monitor.store import jobs
from monitor.store.feed_tables import MatchRow
from monitor.store.verdict_tables import AdvisoryRow

BEFORE = timedelta(days=7)  # how long before an incident an advisory may last have changed
MOST_VERSIONS = 2_000  # that one question reads
MOST_OF_ONE = 500  # versions of one advisory; one that changes all the time fills no disk
UNDATED = {"entered": True}  # what was published nobody knows when, as raw; its source is ""
_TOLD = ("title", "text", "started_at", "ended_at", "is_resolved", "url")


def keep(session: Session, advisory: Advisory, *, source: str, now: datetime) -> bool:
    """Keep this version, unless it is the newest that *source* told; return whether it is new.

    The provider's own stamp may stand still, or go back, while the text changes: then the
    version is known by when we saw it.
    """
    known = session.exec(_versions(advisory.id, source)).first()
    known = known or session.exec(_versions(advisory.id, None)).first()
    if known is not None and _says_same(known, advisory):
        return False
    count = select(func.count()).where(col(AdvisoryRow.advisory) == advisory.id)
    if session.exec(count).one() >= MOST_OF_ONE:
        return False
    published = advisory.published_at or (known.published_at if known else now)
    row = AdvisoryRow(
        advisory=advisory.id,
        provider=advisory.provider[:64],
        title=advisory.title[:500],
        text=advisory.text,
        started_at=advisory.started_at,
        ended_at=advisory.ended_at,
        published_at=min(published, now),  # we see it: their clock is ahead of ours
        updated_at=_free_stamp(session, advisory, now),
        is_resolved=advisory.is_resolved,
        url=advisory.url[:500],
        seen_at=now,
        source=source[:100],
        kinds=list(advisory.kinds),
        raw=dict(advisory.raw),
    )
    session.add(row)
    session.flush()
    return True


def enter(session: Session, advisory: Advisory, *, now: datetime) -> bool:
    """Keep what a person knows of an advisory, as `keep`; match it, and tell the judge.

    Without its time of publication it counts as published now, and sentences say so.
    """
    raw = {} if advisory.published_at else UNDATED
    is_new = keep(session, replace(advisory, raw=raw), source="", now=now)
    if is_new:
        key = f"match:{advisory.id}:{now.isoformat()}"
        jobs.put(session, "match", {}, unique_key=key, due_at=now)
    return is_new


def is_any_known(session: Session) -> bool:
    return session.exec(select(AdvisoryRow.id).limit(1)).first() is not None


def _versions(advisory: str, source: str | None) -> Any:  # noqa: ANN401 - a select
    found = select(AdvisoryRow).where(col(AdvisoryRow.advisory) == advisory)
    if source is not None:
        found = found.where(col(AdvisoryRow.source) == source[:100])
    return found.order_by(col(AdvisoryRow.id).desc()).limit(1)


def _says_same(known: AdvisoryRow, advisory: Advisory) -> bool:
    if advisory.raw:
        return known.raw == advisory.raw
    told = {name: getattr(advisory, name) for name in _TOLD}
    told |= {"title": advisory.title[:500], "url": advisory.url[:500]}
    return all(getattr(known, name) == value for name, value in told.items())


def _free_stamp(session: Session, advisory: Advisory, now: datetime) -> datetime:
    """The version's own time, or ours if another version has it, or if it is yet to come."""
    stamp = advisory.updated_at or now
    stamp = min(stamp, now)
    taken = set(
        session.exec(
            select(AdvisoryRow.updated_at).where(col(AdvisoryRow.advisory) == advisory.id)
        ).all()
    )
    stamp = now if stamp in taken else stamp
    while stamp in taken:
        stamp += timedelta(microseconds=1)
    return stamp


def stories(
    session: Session, *, providers: Collection[str] | None = None, since: datetime
) -> list[Story]:
    """Return the advisories that have changed after *since*, all versions read as one."""
    fresh = select(AdvisoryRow.advisory).where(col(AdvisoryRow.seen_at) >= since)
    if providers is not None:
        fresh = fresh.where(col(AdvisoryRow.provider).in_(providers))
    rows = session.exec(
        select(AdvisoryRow)
        .where(col(AdvisoryRow.advisory).in_(fresh))
        .order_by(col(AdvisoryRow.id).desc())
        .limit(MOST_VERSIONS)
    ).all()
    return merged(_told(rows))


def one(session: Session, advisory: str) -> tuple[Story, list[AdvisoryRow]] | None:
    """Return an advisory and its versions, oldest first; None if it is not known."""
    rows = session.exec(
        select(AdvisoryRow)
        .where(col(AdvisoryRow.advisory) == advisory)
        .order_by(col(AdvisoryRow.id).desc())
        .limit(MOST_VERSIONS)
    ).all()
    return (_story(rows[::-1]), list(rows[::-1])) if rows else None


def _told(rows: Iterable[AdvisoryRow]) -> list[Story]:
    ordered = sorted(rows, key=lambda row: (row.advisory, row.id))
    return [_story(list(story)) for _, story in groupby(ordered, lambda row: row.advisory)]


def _story(versions: Sequence[AdvisoryRow]) -> Story:
    """Read versions, oldest first as we saw them, as one."""
    fed = [v for v in versions if v.source] or versions  # what a person typed in gives way
    dated = [v for v in versions if v.raw != UNDATED]
    last = fed[-1]
    starts = [v.started_at for v in versions if v.started_at is not None]
    kinds = {kind for version in versions for kind in version.kinds}
    return Story(
        id=last.advisory,
        provider=last.provider,
        title=last.title,
        text=last.text,
        started_at=min(starts, default=None),
        ended_at=last.ended_at,
        published_at=min(v.published_at for v in dated or versions),
        updated_at=last.updated_at,
        is_resolved=last.is_resolved,
        kinds=tuple(sorted(kinds)) or kinds_of(f"{last.title}\n{last.text}"),
        url=last.url,
        is_entered=not dated,
        is_by_hand=not any(v.source for v in versions),
        versions=len(versions),
        goes_on_as=successor_of(last.advisory, f"{last.title}\n{last.text}"),
    )


def related(session: Session, incident: Incident, *, now: datetime) -> list[tuple[Story, Match]]:
    """Return the advisories of the incident's provider and time, the likeliest first."""
    event = incident.latest
    places = {place for place in (event.provider, event.esp) if place}
    if not places:
        return []
    found = stories(session, providers=_told_by(places), since=event.start_low - BEFORE)
    weighed = [(story, match(story, incident, now=now)) for story in found]
    near = [(story, how) for story, how in weighed if how.score > 0]
    return sorted(near, key=lambda one: (-one[1].score, one[0].published_at))


def _told_by(places: Collection[str]) -> set[str]:
    """Whose advisories can be about *places*."""
    return {*places, *(p for p in ("gmail",) if providers_of(p) & set(places))}


def relate(session: Session, incident: Incident, *, now: datetime) -> list[MatchRow]:
    """Write down which advisories tell of *incident*; what was written and holds no longer goes.

    A match is derived: a start that is revised, or a cause that is named anew, changes it.
    """
    rows = session.exec(select(MatchRow).where(col(MatchRow.incident) == incident.id)).all()
    known = {row.advisory: row for row in rows}
    same = [(story, how) for story, how in related(session, incident, now=now) if how.is_same]
    for advisory in known.keys() - {story.id for story, _ in same}:
        session.delete(known[advisory])
    found = [_row(known.get(story.id), story, how, incident, now) for story, how in same]
    session.add_all(found)
    session.flush()
    return found


def _row(
    row: MatchRow | None, story: Story, how: Match, incident: Incident, now: datetime
) -> MatchRow:
    row = row or MatchRow(
        advisory=story.id, incident=incident.id, score=0, lead_s=0, matched_at=now, body={}
    )
    row.score, row.lead_s = how.score, how.lead.total_seconds()
    row.body = {"reasons": list(how.reasons)}
    return row


def matches_of(session: Session, *, advisory: str) -> list[MatchRow]:
    """The incidents that an advisory tells of, the surest first."""
    wanted = select(MatchRow).where(col(MatchRow.advisory) == advisory)
    return list(session.exec(wanted.order_by(col(MatchRow.score).desc())).all())


def lead_of(session: Session, incident: str, names: Mapping[str, str]) -> str:
    """Who was first, in words, by the surest match of *incident*; "" if nobody admitted it.

    Args:
        names: provider ids to names, for people.
    """
    wanted = select(MatchRow).where(col(MatchRow.incident) == incident)
    row = session.exec(wanted.order_by(col(MatchRow.score).desc()).limit(1)).first()
    known = one(session, row.advisory) if row is not None else None
    if row is None or known is None:
        return ""
    story, _ = known
    name = names.get(story.provider, story.provider)
    return lead_sentence(story, timedelta(seconds=row.lead_s), name)


def as_json(story: Story, matches: Iterable[MatchRow] = ()) -> dict[str, object]:
    """An advisory as the command line and the API print it."""
    return asdict(story) | {
        "kinds": list(story.kinds),
        "goes_on_as": story.goes_on_as or None,
        "incidents": [
            {
                "id": row.incident,
                "score": row.score,
                "lead_s": row.lead_s,
                "reasons": row.body.get("reasons", []),
            }
            for row in matches
        ],
    }
