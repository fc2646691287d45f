"""Messages that a service's search brought up: which of them are the copies we want."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from monitor.core.campaigns import Found, Match, Role, Wanted
from monitor.evidence import fields
from monitor.evidence.recognise import recognise
from monitor.evidence.stamp import NEEDED_HEADERS
from monitor.mailboxes.folders import ORDER

MAX_HEADER_BYTES = 64 * 1024  # of one copy
MAX_KEPT = 1024  # characters of one field that is remembered
_STRENGTH = list(Match)
_NEEDED = {name.lower() for name in (*NEEDED_HEADERS, "From", "Subject", "Date")}
_RESERVED = 16 * 1024  # bytes
_DOUBTFUL = {Match.BODY_HASH, Match.WEAK}
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One message as a service describes it."""

    key: str  # the service's own id
    folder: str
    role: Role
    headers: bytes
    tab: str = ""
    received_at: datetime | None = None
    note: str = ""
    body: bytes | None = None  # its beginning, where it is at hand


@dataclass(frozen=True, slots=True)
class Chosen:
    """A wanted copy, and by what id the service knows it."""

    key: str
    found: Found


def choose(candidates: Iterable[Candidate], wanted: Sequence[Wanted]) -> list[Chosen]:
    """Return each wanted copy where it counts: of several, at the first place of ORDER.

    Further messages that are the same copy are counted in `Found.duplicates`.
    """
    mine: dict[str, dict[str, Chosen]] = {}
    for one in candidates:
        known = recognise(one.headers, one.body, wanted, received_at=one.received_at)
        if known is not None:
            same = mine.setdefault(known.wanted.message_id, {})
            same[one.key] = Chosen(one.key, _found(one, known.wanted.message_id, known.match))
    return [_best(list(same.values())) for same in mine.values()]


def _best(same: Sequence[Chosen]) -> Chosen:
    """Choose among messages that may all be one copy; a sure mark beats a doubtful one."""
    sure = [one for one in same if one.found.match not in _DOUBTFUL] or same
    first = min(sure, key=_rank)
    return replace(first, found=replace(first.found, duplicates=len(sure) - 1))


def _rank(one: Chosen) -> tuple[int, int, datetime]:
    found = one.found
    came = found.received_at or _LAST
    return ORDER.index(found.role), _STRENGTH.index(found.match), came


def _found(one: Candidate, message_id: str, match: Match) -> Found:
    return Found(
        message_id=message_id,
        folder=one.folder,
        role=one.role,
        tab=one.tab,
        received_at=one.received_at,
        headers=one.headers,
        match=match,
        note=one.note,
    )


def to_remember(one: Candidate) -> Candidate:
    """Return a message with no more of it than what a copy is known by."""
    kept = [f for f in fields.parse(one.headers) if f.key in _NEEDED]
    return replace(one, headers=header_block((f.name, f.value[:MAX_KEPT]) for f in kept), body=None)


class Keys:
    """By what id the service knows the copies that were found; the oldest are forgotten."""

    def __init__(self, *, most: int = 2_000) -> None:
        self._most = most
        self._keys: dict[str, str] = {}

    def get(self, message_id: str) -> str | None:
        return self._keys.get(message_id)

    def learn(self, chosen: Iterable[Chosen]) -> None:
        for one in chosen:
            self._keys.pop(one.found.message_id, None)
            self._keys[one.found.message_id] = one.key
        for message_id in list(self._keys)[: -self._most]:
            del self._keys[message_id]


def header_block(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Write (name, value) pairs as a header block, topmost first, at most MAX_HEADER_BYTES.

    What does not fit is left out. By what a copy is known there is always room for, however
    long the others are.
    """
    block = bytearray()
    for name, value in pairs:
        unfolded = " ".join(value.split())
        line = f"{name.strip()}: {unfolded}\r\n".encode("utf-8", "replace")
        reserved = 0 if name.strip().lower() in _NEEDED else _RESERVED
        if len(block) + len(line) <= MAX_HEADER_BYTES - reserved:
            block += line
    return bytes(block)


def ids_of(wanted: Wanted) -> tuple[str, ...]:
    """Return every Message-ID that a copy may have."""
    return (wanted.message_id, *wanted.other_ids)


def moment(value: object) -> datetime | None:
    """Read an ISO 8601 moment with its zone, as UTC; None if it is none."""
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
        return read.astimezone(UTC) if read is not None and read.tzinfo else None
    except (ValueError, OverflowError):
        return None
