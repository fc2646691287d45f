"""Messages, folders and mailboxes as a provider keeps them, in memory.

Not safe between threads by themselves: whoever touches them holds `World.lock`.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

NO_FLAGS: frozenset[str] = frozenset()
FIELD = re.compile(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*")
FOLD = re.compile(rb"\r\n(?=[ \t])")


class Message:
    """A stored message: the bytes as sent, shared by all who got them, behind a stamped prefix."""

    __slots__ = ("labels", "number", "prefix", "raw", "tab")

    def __init__(self, prefix: bytes, raw: bytes, *, number: int = 0, tab: str = "") -> None:
        self.prefix = prefix
        self.raw = raw
        self.number = number  # the provider's own id (X-GM-MSGID)
        self.tab = tab
        self.labels: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        return len(self.prefix) + len(self.raw)

    @property
    def head(self) -> bytes:
        """The header with the blank line that ends it; all of it if there is no such line."""
        return self.prefix + self.raw[: self._body_at()]

    def _body_at(self) -> int:
        if self.raw.startswith(b"\r\n"):
            return 2
        end = self.raw.find(b"\r\n\r\n")
        return len(self.raw) if end < 0 else end + 4

    def cut(self, start: int, length: int | None = None) -> bytes:
        """Return *length* bytes of the whole from *start*, copying no more than that."""
        stop = self.size if length is None else min(self.size, start + length)
        skip = len(self.prefix)
        return self.prefix[start:stop] + self.raw[max(0, start - skip) : max(0, stop - skip)]

    def cut_text(self, start: int, length: int | None = None) -> bytes:
        """Like `cut`, of the body."""
        body = self._body_at()
        return self.raw[body + start : None if length is None else body + start + length]

    def values(self, name: bytes) -> list[bytes]:
        """Return the unfolded values of header *name* (lower case), in order."""
        fields = named(frozenset((name,))).findall(self.head)
        return [FOLD.sub(b"", f[f.index(b":") + 1 :]).strip() for f in fields]

    def contains(self, needle: bytes) -> bool:
        """Is lower-case *needle* in the header or body, whatever the case?"""
        return needle in self.prefix.lower() or needle in self.raw.lower()


@lru_cache(maxsize=256)
def named(names: frozenset[bytes]) -> re.Pattern[bytes]:
    """Return a pattern for whole header fields with one of *names*."""
    choice = b"|".join(re.escape(n) for n in sorted(names)) or rb"(?!)"
    return re.compile(rb"(?im)^(?:" + choice + rb")[ \t]*:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


class Entry:
    """A message in a folder."""

    __slots__ = ("date", "flags", "message", "modseq", "uid")

    def __init__(
        self, uid: int, message: Message, flags: frozenset[str], date: datetime, modseq: int
    ) -> None:
        self.uid = uid
        self.message = message
        self.flags = flags
        self.date = date
        self.modseq = modseq


@dataclass(slots=True)
class Folder:
    """A folder; `version` counts its changes, so that a session knows when to look again."""

    name: str
    attributes: tuple[str, ...] = ()
    uidvalidity: int = 1
    uidnext: int = 1
    modseq: int = 1
    version: int = 0
    entries: list[Entry] = field(default_factory=list)

    @property
    def is_selectable(self) -> bool:
        return "\\Noselect" not in self.attributes

    def add(self, message: Message, date: datetime, flags: frozenset[str] = NO_FLAGS) -> int:
        """Store *message*; return its UID."""
        self.modseq += 1
        uid = self.uidnext
        self.entries.append(Entry(uid, message, flags, date, self.modseq))
        self.uidnext += 1
        self._changed()
        return uid

    def find(self, uid: int) -> Entry | None:
        at = bisect_left(self.entries, uid, key=lambda e: e.uid)
        return self.entries[at] if at < len(self.entries) and self.entries[at].uid == uid else None

    def remove(self, gone: Iterable[Entry]) -> bool:
        """Take entries out; say whether any was there."""
        ids = {id(e) for e in gone}
        kept = [e for e in self.entries if id(e) not in ids]
        if len(kept) == len(self.entries):
            return False
        self.entries = kept
        self.modseq += 1
        self._changed()
        return True

    def mark(self, entry: Entry, flags: frozenset[str]) -> None:
        """Give *entry* these flags and no others."""
        if flags != entry.flags:
            self.modseq += 1
            entry.flags = flags
            entry.modseq = self.modseq

    def revalidate(self) -> None:
        """Start the UIDs again under a new UIDVALIDITY, as a provider does after a rebuild."""
        self.uidvalidity += 1
        for uid, entry in enumerate(self.entries, start=1):
            entry.uid = uid
        self.uidnext = len(self.entries) + 1
        self._changed()

    def _changed(self) -> None:
        self.version += 1


class LabMailbox:
    """One person's folders at one provider."""

    def __init__(self, address: str, password: str, folders: Iterable[Folder]) -> None:
        self.address = address
        self.password = password
        self.folders = {f.name: f for f in folders}
        self.sessions = 0  # signed in now

    def folder(self, name: str) -> Folder | None:
        return self.folders.get("INBOX" if name.upper() == "INBOX" else name)

    def put(self, message: Message, name: str, date: datetime) -> None:
        """Deliver into a folder; inbox mail also lies in the one for all mail, if there is one."""
        self.folders[name].add(message, date)
        if name != "INBOX":
            return
        for folder in self.folders.values():
            if "\\All" in folder.attributes:
                folder.add(message, date)

    def holders(self, message: Message) -> list[tuple[Folder, Entry]]:
        """Return every place where *message* lies."""
        return [(f, e) for f in self.folders.values() for e in f.entries if e.message is message]

    def withdraw(self, message: Message) -> bool:
        """Take *message* out of all folders; say whether it was in one."""
        places = self.holders(message)
        for folder, entry in places:
            folder.remove((entry,))
        return bool(places)
