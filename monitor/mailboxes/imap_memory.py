"""What a mailbox's reader remembers of a folder between looks, and which of it is ours."""

import re
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
        for uid in sorted(self.seen)[: max(0, len(self.seen) - MAX_KNOWN)]:
            del self.seen[uid]

    def keep_headers(self, uids: Iterable[int]) -> None:
        """Forget the header blocks of all but *uids*."""
        kept = sorted(set(uids) & self.headers.keys())[-MAX_HEADERS:]
        self.headers = {uid: self.headers[uid] for uid in kept}


def needed_fields(header: bytes) -> bytes:
    """Return those fields of a header block by which a copy is known again."""
    return b"".join(_NEEDED.findall(header))[:MAX_FIELDS]


def ours(seen: Mapping[int, Seen], wanted: Sequence[Wanted]) -> Iterator[tuple[int, Recognised]]:
    """Yield each message that is one of *wanted*, by UID."""
    marks = {mark for w in wanted for mark in (w.message_id.strip("<>"), w.token) if mark}
    needles = [mark.encode("utf-8", "replace") for mark in marks]
    for uid, message in sorted(seen.items()):
        # Most messages are strangers; parsing their headers each time would add up.
        if any(needle in message.fields for needle in needles):
            known = recognise(message.fields, None, wanted)
            if known is not None:
                yield uid, known
