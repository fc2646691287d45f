"""What is known of the letters in a drop, so that a later look reads only what is new."""

import re
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import monotonic

from monitor.evidence import fields
from monitor.evidence.fields import HeaderField
from monitor.evidence.stamp import NEEDED_HEADERS
from monitor.mailboxes.candidates import MAX_HEADER_BYTES, header_block
from monitor.mailboxes.drop_files import INBOX, Folder, Mbox, Spot, TooMuchError, Walk

MAX_READ = 20_000  # letters that one look opens
MAX_ADDRESSES = 20  # of one letter
MAX_FIELDS = 4096  # characters of one field that is remembered
KEPT_FOR = timedelta(days=5)  # a copy is watched for three days

# Who a letter was for, in the words of the servers that laid it down: Postfix and Dovecot,
# Exim ("Envelope-To"), fetchmail and gateways ("X-Envelope-To"), and the letter's own word.
_RECIPIENTS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "cc")
_FIRST = datetime.min.replace(tzinfo=UTC)
_NEEDED = {name.lower() for name in NEEDED_HEADERS}
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]]{1,64}@[A-Za-z0-9.-]{1,255}")
_RECEIVED_FOR = re.compile(r"\bfor\s+<?([^\s<>;]{1,64}@[A-Za-z0-9.-]{1,255})>?")
_ID = re.compile(r"<[^<>\s]{1,400}>")


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as it is remembered."""

    spot: Spot
    fields: bytes  # the headers by which copies are known
    came: datetime | None
    addresses: frozenset[str]  # in lower case
    ids: frozenset[str]  # Message-IDs


class Drop:
    """One [drops.NAME]: its letters by address and Message-ID. Safe between threads.

    All seeds in a drop share it, and those that look at the same time share one walk.

    Args:
        form: "maildir", "mbox" or "eml".
    """

    def __init__(self, path: Path, form: str) -> None:
        self.path = path
        self._form = form
        self._lock = threading.Lock()
        self._began = float("-inf")  # when the last walk that was finished began
        self._since: datetime | None = None  # letters before it are not known
        self._letters: dict[Spot, Letter] = {}
        self._old: set[Spot] = set()  # too old when they were met
        self._by_mark: defaultdict[str, dict[Spot, None]] = defaultdict(dict)
        self._mboxes: dict[Path, Mbox] = {}
        self._unread = 0
        self._folders: tuple[Folder, ...] = ()

    @property
    def delimiter(self) -> str:
        """What stands between the names of a folder and of the one in it."""
        return "." if self._form == "maildir" else "/"

    def folders_of(self, address: str) -> list[str]:
        """Return the names of the folders where mail to *address* may lie, each once."""
        with self._lock:
            mine = [f.name for f in self._folders if f.owner in {"", address.lower()}]
        return sorted(set(mine), key=lambda name: (name != INBOX, name))

    def refresh(self, since: datetime | None) -> int:
        """Read the letters that are new, of those that came after *since*; None: only list.

        Returns:
            How many files could not be opened.
        Raises:
            OSError: the drop is not there, is bare, or cannot be listed.
            BlockingIOError: a part of it is being written anew.
            TooMuchError: it holds more than is read. What was read so far is kept.
        """
        asked = monotonic()
        with self._lock:
            is_wide = since is None or (self._since is not None and self._since <= since)
            began = monotonic()
            if not (self._began >= asked and is_wide):
                self._walk(since)
                self._began = began
            return self._unread

    def letters(self, address: str, ids: Collection[str]) -> list[Letter]:
        """Return the letters to *address*, and those that bear one of *ids*."""
        with self._lock:
            marks = [address.lower(), *ids]
            spots = {spot for mark in marks for spot in self._by_mark.get(mark, ())}
            return [self._letters[spot] for spot in spots]

    def _walk(self, since: datetime | None) -> None:
        walk = Walk(self.path, self._form)
        folders = walk.folders()
        if not folders or walk.is_bare():
            raise FileNotFoundError(2, f"nothing is there that is {_KINDS[self._form]}")
        self._folders = tuple(folders)
        if since is not None and (self._since is None or since < self._since):
            self._since = since
            self._old.clear()
        spots = set(self._spots(walk, folders))
        for spot in self._letters.keys() - spots:
            self._forget(spot)
        self._old &= spots
        self._unread = 0
        if since is not None:
            self._read(spots - self._letters.keys() - self._old)
            self._prune(since)

    def _spots(self, walk: Walk, folders: list[Folder]) -> Iterator[Spot]:
        if self._form != "mbox":
            for folder in folders:
                yield from walk.letters(folder)
            return
        self._mboxes = {f.path: self._mboxes.get(f.path) or Mbox(f) for f in folders}
        for mbox in self._mboxes.values():
            yield from mbox.letters()

    def _read(self, news: set[Spot]) -> None:
        is_too_old = [s for s in news if s.came and self._since and s.came < self._since]
        self._old.update(is_too_old)
        right = sorted(news.difference(is_too_old), key=lambda s: s.came or _FIRST, reverse=True)
        for count, spot in enumerate(right):
            if count >= MAX_READ:
                raise TooMuchError(f"more than {MAX_READ} new letters")
            try:
                self._remember(_letter(spot))
            except FileNotFoundError:
                pass  # moved or gone since it was listed
            except OSError:
                self._unread += 1

    def _remember(self, letter: Letter) -> None:
        self._letters[letter.spot] = letter
        for mark in letter.addresses | letter.ids:
            self._by_mark[mark][letter.spot] = None

    def _forget(self, spot: Spot) -> None:
        letter = self._letters.pop(spot)
        for mark in letter.addresses | letter.ids:
            self._by_mark[mark].pop(spot, None)
            if not self._by_mark[mark]:
                del self._by_mark[mark]

    def _prune(self, since: datetime) -> None:
        """Forget what no look will ask for again."""
        oldest = since - KEPT_FOR if since > _FIRST + KEPT_FOR else _FIRST
        if self._since is not None and self._since < oldest:
            self._since = oldest
        for spot in [s for s in self._letters if s.came is not None and s.came < oldest]:
            self._forget(spot)
            self._old.add(spot)


_KINDS = {"maildir": "a Maildir", "mbox": "an mbox file", "eml": "an .eml file or a directory"}


def _letter(spot: Spot) -> Letter:
    parsed = fields.parse(spot.read(MAX_HEADER_BYTES))
    kept = [(f.name, f.value[:MAX_FIELDS]) for f in parsed if f.key in _NEEDED]
    ids = {one for value in fields.values(parsed, "Message-ID") for one in _ID.findall(value)}
    return Letter(
        spot=spot,
        fields=header_block(kept),
        came=spot.came or _received_at(parsed),
        addresses=frozenset([spot.owner] if spot.owner else _addresses(parsed)),
        ids=frozenset(ids),
    )


def _addresses(parsed: list[HeaderField]) -> list[str]:
    """Return to whom a letter came, by the recipients that headers name."""
    named: dict[str, None] = {}
    for field in parsed:
        if field.key in _RECIPIENTS:
            named |= dict.fromkeys(_ADDRESS.findall(field.value))
        elif field.key == "received":
            named |= dict.fromkeys(_RECEIVED_FOR.findall(field.value))
    return [address.lower() for address in list(named)[:MAX_ADDRESSES]]


def _received_at(parsed: list[HeaderField]) -> datetime | None:
    """When the topmost server says that it took the letter: an mbox tells no time of its own."""
    date = (fields.first(parsed, "Received") or "").rpartition(";")[2]
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else None
