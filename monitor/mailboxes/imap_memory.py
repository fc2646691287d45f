"""What a mailbox's reader remembers of a folder between looks, and which of it is ours."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.core.campaigns import Wanted
from monitor.evidence import bodies, fields
from monitor.evidence.bodies import BodyMarks
from monitor.evidence.recognise import Recognised, recognise_marks, weak_mark, weak_mark_of
from monitor.evidence.stamp import NEEDED_HEADERS

MAX_KNOWN = 2_000  # messages remembered of one folder, the newest ones
MAX_FIELDS = 4096  # bytes remembered of one message
MAX_HEADERS = 16  # header blocks kept until whoever asked has written them down
# A copy is watched for three days; what came long before the oldest that is looked for
# now will not be asked for again.
KEPT_FOR = timedelta(days=5)

_NEEDED = re.compile(
    rb"(?im)^(?:%b)[ \t]*:[^\n]*\n?(?:[ \t][^\n]*\n?)*" % "|".join(NEEDED_HEADERS).encode()
)
# What may be a mark of ours: Message-IDs, the first word of an X- header, a plus-tag.
_IDS = re.compile(rb"(?im)^message-id[ \t]*:([^\n]*\n?(?:[ \t][^\n]*\n?)*)")
_BRACKETS = re.compile(rb"[\s<>]+")
_VALUES = re.compile(rb"(?im)^(?:x-[a-z0-9-]+|feedback-id)[ \t]*:\s*(\S+)")
_TAGS = re.compile(rb"\+([^\s@,;<>]{1,100})@")


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as we remember it."""

    fields: bytes  # its needed headers
    received_at: datetime | None
    body: BodyMarks | None = None  # None: not read


@dataclass(slots=True)
class Memory:
    """What earlier looks learnt of a folder; worthless once its UIDVALIDITY changes."""

    validity: str
    next_uid: int  # everything below is known, as far back as `since`; 0 if we cannot tell
    since: datetime
    headers: dict[int, bytes] = field(default_factory=dict)  # whole blocks
    unread: set[int] = field(default_factory=set)  # of the right days, not compared so far
    _seen: dict[int, Seen] = field(default_factory=dict)
    _bearers: defaultdict[bytes, set[int]] = field(default_factory=lambda: defaultdict(set))
    _is_weakly_marked: bool = False  # From and subject are marks too: once somebody asked so

    def __getitem__(self, uid: int) -> Seen:
        return self._seen[uid]

    def remember(self, uid: int, header: bytes, received_at: datetime | None) -> None:
        """Keep what a message is known by, out of its *header* or of a part of that."""
        before = self._seen.get(uid)
        self.forget(uid)
        needed = b"".join(_NEEDED.findall(header))[:MAX_FIELDS]
        self._seen[uid] = Seen(needed, received_at, before.body if before else None)
        self.next_uid = max(self.next_uid, uid + 1)
        self._index(uid)

    def remember_body(self, uid: int, raw: bytes) -> None:
        """Keep what a message is known by, out of its beginning, header and body."""
        seen = self._seen.get(uid)
        if seen is not None:
            self._seen[uid] = replace(seen, body=bodies.marks_of(raw))
            self._index(uid)

    def lacks_body(self, uids: Iterable[int]) -> list[int]:
        """Return those of *uids* whose bodies have not been read."""
        return [uid for uid in uids if uid in self._seen and self._seen[uid].body is None]

    def received_since(self, day: datetime) -> list[int]:
        """Return the messages that came on *day* or later, or nobody knows when."""
        times = ((uid, seen.received_at) for uid, seen in self._seen.items())
        return [uid for uid, at in times if at is None or at >= day]

    def mark_weakly(self) -> None:
        """From now on take From and subject for a mark too."""
        if not self._is_weakly_marked:
            self._is_weakly_marked = True
            for uid in self._seen:
                self._index(uid)

    def with_bodies(self) -> Iterator[int]:
        """Yield the messages that may be known by their wording."""
        return (uid for uid, seen in self._seen.items() if seen.body and seen.body.mark)

    def forget(self, uid: int) -> None:
        seen = self._seen.pop(uid, None)
        for mark in self._marks(seen) if seen else ():
            self._bearers[mark].discard(uid)
            if not self._bearers[mark]:
                del self._bearers[mark]

    def _index(self, uid: int) -> None:
        for mark in self._marks(self._seen[uid]):
            self._bearers[mark].add(uid)

    def _marks(self, seen: Seen) -> set[bytes]:
        marks = _marks(seen.fields)
        if seen.body is not None:
            marks |= {token.encode() for token in seen.body.tokens}
        if self._is_weakly_marked:
            marks.add(weak_mark_of(fields.parse(seen.fields)).encode("utf-8", "replace"))
        return marks - {b""}

    def bearing(self, mark: bytes) -> Collection[int]:
        """Return the messages that bear *mark*."""
        return self._bearers.get(mark, ())

    def prune(self, since: datetime) -> None:
        """Forget what came long before *since*, and the oldest beyond MAX_KNOWN."""
        oldest = since - KEPT_FOR
        self.since = max(self.since, oldest)
        surplus = len(self._seen) - MAX_KNOWN
        for place, uid in enumerate(sorted(self._seen)):
            at = self._seen[uid].received_at
            if place < surplus or (at is not None and at < oldest):
                self.forget(uid)

    def keep_headers(self, uids: Iterable[int]) -> None:
        """Forget the header blocks of all but *uids*."""
        kept = sorted(set(uids) & self.headers.keys())[-MAX_HEADERS:]
        self.headers = {uid: self.headers[uid] for uid in kept}


class Recogniser:
    """Knows which message of a folder is which of *wanted*."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self._marks = [
            (mark.encode("utf-8", "replace"), one)
            for one in wanted
            for mark in _marks_of(one) - {""}
        ]
        self._worded = [one for one in wanted if one.body_mark]
        self._is_weak = any(one.window_end and one.subject for one in wanted)
        self._known: dict[Seen, Recognised | None] = {}  # asked again each round

    @property
    def needs_bodies(self) -> bool:
        """May some of the wanted be known by their bodies alone?"""
        return bool(self._worded)

    def ours(self, memory: Memory) -> Iterator[tuple[int, Recognised]]:
        """Yield each message that is one of the wanted, by UID."""
        likely = self._likely(memory)
        for uid in sorted(likely):
            seen = memory[uid]
            if seen not in self._known:
                self._known[seen] = recognise_marks(
                    seen.fields,
                    seen.body or bodies.NOTHING,
                    likely[uid],
                    received_at=seen.received_at,
                )
            known = self._known[seen]
            if known is not None:
                yield uid, known

    def _likely(self, memory: Memory) -> Mapping[int, list[Wanted]]:
        if self._is_weak:
            memory.mark_weakly()
        likely: defaultdict[int, list[Wanted]] = defaultdict(list)
        for mark, one in self._marks:
            for uid in memory.bearing(mark):
                likely[uid].append(one)
        for uid in memory.with_bodies() if self._worded else ():
            likely[uid] += (one for one in self._worded if one not in likely[uid])
        return likely


def _marks_of(one: Wanted) -> set[str]:
    """What a message that is this copy may bear, as `Memory` keeps it."""
    ids = {found.strip("<>") for found in (one.message_id, *one.other_ids)}
    campaign = one.campaign_mark.split(maxsplit=1)[:1]
    weak = weak_mark(one.from_address, one.subject) if one.window_end else ""
    return {*ids, one.token, *campaign, weak}


def _marks(fields: bytes) -> set[bytes]:
    words = {word for ids in _IDS.findall(fields) for word in _BRACKETS.split(ids)}
    return (words | {*_VALUES.findall(fields), *_TAGS.findall(fields)}) - {b""}
