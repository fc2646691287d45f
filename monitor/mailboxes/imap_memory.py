"""What a mailbox's reader remembers of a folder between looks, and which of it is ours."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.core.campaigns import Wanted
from monitor.evidence.stamp import NEEDED_HEADERS, Recognised, recognise

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
_VALUES = re.compile(rb"(?im)^x-[a-z0-9-]+[ \t]*:\s*(\S+)")
_TAGS = re.compile(rb"\+([^\s@,;<>]{1,100})@")


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as we remember it."""

    fields: bytes  # its needed headers
    received_at: datetime | None


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

    def __getitem__(self, uid: int) -> Seen:
        return self._seen[uid]

    def remember(self, uid: int, header: bytes, received_at: datetime | None) -> None:
        """Keep what a message is known by, out of its *header* or of a part of that."""
        self.forget(uid)
        fields = b"".join(_NEEDED.findall(header))[:MAX_FIELDS]
        self._seen[uid] = Seen(fields, received_at)
        self.next_uid = max(self.next_uid, uid + 1)
        for mark in _marks(fields):
            self._bearers[mark].add(uid)

    def forget(self, uid: int) -> None:
        seen = self._seen.pop(uid, None)
        for mark in _marks(seen.fields) if seen else ():
            self._bearers[mark].discard(uid)
            if not self._bearers[mark]:
                del self._bearers[mark]

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
            for mark in {one.message_id.strip("<>"), one.token} - {""}
        ]
        self._known: dict[bytes, Recognised | None] = {}  # by fields: asked again each round

    def ours(self, memory: Memory) -> Iterator[tuple[int, Recognised]]:
        """Yield each message that is one of the wanted, by UID."""
        likely: defaultdict[int, list[Wanted]] = defaultdict(list)
        for mark, one in self._marks:
            for uid in memory.bearing(mark):
                likely[uid].append(one)
        for uid in sorted(likely):
            fields = memory[uid].fields
            if fields not in self._known:
                self._known[fields] = recognise(fields, None, likely[uid])
            known = self._known[fields]
            if known is not None:
                yield uid, known


def _marks(fields: bytes) -> set[bytes]:
    words = {word for ids in _IDS.findall(fields) for word in _BRACKETS.split(ids)}
    return (words | {*_VALUES.findall(fields), *_TAGS.findall(fields)}) - {b""}
