"""What a mailbox's reader remembers of a folder between looks, and which of it is ours."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.core.campaigns import Wanted
from monitor.evidence.stamp import NEEDED_HEADERS, Recognised, recognise

MAX_KNOWN = 2_000  # messages remembered of one folder, the newest ones
MAX_FIELDS = 4096  # bytes remembered of one message
MAX_HEADERS = 16  # header blocks kept until whoever asked has written them down

_NEEDED = re.compile(
    rb"(?im)^(?:%b)[ \t]*:[^\n]*\n?(?:[ \t][^\n]*\n?)*" % "|".join(NEEDED_HEADERS).encode()
)
# A Message-ID stands between brackets or blanks, a token also in a plus-address.
_WORDS = re.compile(rb"[\s<>]+")
_PIECES = re.compile(rb"[\s<>+@,;]+")


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
    seen: dict[int, Seen] = field(default_factory=dict)
    headers: dict[int, bytes] = field(default_factory=dict)  # whole blocks
    unread: set[int] = field(default_factory=set)  # of the right days, not compared so far

    def prune(self) -> None:
        """Forget the oldest messages beyond MAX_KNOWN."""
        surplus = len(self.seen) - MAX_KNOWN
        for uid in sorted(self.seen)[:surplus] if surplus > 0 else ():
            del self.seen[uid]

    def keep_headers(self, uids: Iterable[int]) -> None:
        """Forget the header blocks of all but *uids*."""
        kept = sorted(set(uids) & self.headers.keys())[-MAX_HEADERS:]
        self.headers = {uid: self.headers[uid] for uid in kept}


def needed_fields(header: bytes) -> bytes:
    """Return those fields of a header block by which a copy is known again."""
    return b"".join(_NEEDED.findall(header))[:MAX_FIELDS]


class Recogniser:
    """Knows which message is which of *wanted*. Most are strangers, and cheap to pass over."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self._bearers: defaultdict[bytes, list[Wanted]] = defaultdict(list)
        for one in wanted:
            for mark in {one.message_id.strip("<>"), one.token} - {""}:
                self._bearers[mark.encode("utf-8", "replace")].append(one)
        self._known: dict[bytes, Recognised | None] = {}

    def ours(self, seen: Mapping[int, Seen]) -> Iterator[tuple[int, Recognised]]:
        """Yield each message that is one of the wanted, by UID."""
        for uid, message in sorted(seen.items()):
            known = self._of(message.fields)
            if known is not None:
                yield uid, known

    def _of(self, fields: bytes) -> Recognised | None:
        if fields not in self._known:
            words = {*_WORDS.split(fields), *_PIECES.split(fields)}
            likely = [one for mark in words & self._bearers.keys() for one in self._bearers[mark]]
            self._known[fields] = recognise(fields, None, likely) if likely else None
        return self._known[fields]
