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
from monitor.mailboxes.drop_files import INBOX, Folder, Spot, TooMuchError, Walk, mark_of
from monitor.mailboxes.drop_mbox import Mbox

MAX_READ = 20_000  # letters that one look opens
SETTLED_S = 2.0  # file systems tell times to this at the worst (FAT)
MAX_ADDRESSES = 20  # of one letter
MAX_FIELDS = 4096  # characters of one field that is remembered
KEPT_FOR = timedelta(days=5)  # a copy is watched for three days

# Who a letter was for, in the words of the servers that laid it down: Postfix and Dovecot,
# Exim ("Envelope-To"), fetchmail and gateways ("X-Envelope-To"), and the letter's own word.
_RECIPIENTS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "cc")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


@dataclass(slots=True)
class _Place:
    """A directory or an mbox file as the last walk found it."""

    spots: frozenset[Spot] = frozenset()
    mark: tuple[int, int] | None = None
    since: float = 0.0  # since when it has been met with this mark, by a clock of our own
    is_settled: bool = False


class Drop:
    """One [drops.NAME], which many seeds may share. Safe between threads.

    Args:
        form: "maildir", "mbox" or "eml".
    """

    def __init__(self, path: Path, form: str) -> None:
        self.path = path
        self._form = form
        self._lock = threading.Lock()
        self._parts: dict[str, Part] = {}

    @property
    def delimiter(self) -> str:
        """What stands between the names of a folder and of the one in it."""
        return "." if self._form == "maildir" else "/"

    def folders_of(self, address: str) -> list[str]:
        """Return the names of the folders where mail to *address* may lie, each once."""
        names = {folder.name for part in self._of(address) for folder in part.folders}
        return sorted(names, key=lambda name: (name != INBOX, name))

    def refresh(self, address: str, since: datetime | None) -> int:
        """Read the letters to *address* that are new and came after *since*; None: only list.

        Returns:
            How many files could not be opened.
        Raises:
            OSError: the drop is not there, is bare, or cannot be listed.
            BlockingIOError: a part of it is being written anew.
            TooMuchError: it holds more than is read. What was read so far is kept.
        """
        parts = self._of(address)
        failed = sum(part.refresh(since) for part in parts)
        if not any(part.folders for part in parts):
            raise FileNotFoundError(2, f"nothing is there that is {_KINDS[self._form]}")
        return failed

    def letters(self, address: str, ids: Collection[str]) -> list[Letter]:
        """Return the letters to *address*, and those that bear one of *ids*."""
        return [one for part in self._of(address) for one in part.letters(address, ids)]

    def _of(self, address: str) -> list["Part"]:
        """The part that all seeds share, and the one of this address."""
        with self._lock:
            return [
                self._parts.setdefault(owner, Part(self.path, self._form, owner))
                for owner in ("", address.lower())
            ]


class Part:
    """What is known of the shared folders of a drop, or of those of one address.

    Those that ask at the same time share one walk. Safe between threads.
    """

    def __init__(self, path: Path, form: str, owner: str) -> None:
        self._path = path
        self._form = form
        self._owner = owner
        self._lock = threading.Lock()
        self._began = float("-inf")  # when the last walk that was finished began
        self._since: datetime | None = None  # what came before it is not read
        self.folders: tuple[Folder, ...] = ()
        self._places: dict[Path, _Place] = {}
        self._mboxes: dict[Path, Mbox] = {}
        self._letters: dict[Spot, Letter] = {}
        self._unread: set[Spot] = set()  # too old, or not to be opened
        self._by_mark: defaultdict[str, dict[Spot, None]] = defaultdict(dict)
        self._failed = 0

    def refresh(self, since: datetime | None) -> int:
        """Do as `Drop.refresh` says, for this part."""
        asked = monotonic()
        with self._lock:
            is_wide = since is None or (self._since is not None and self._since <= since)
            began = monotonic()
            if not (self._began >= asked and is_wide):
                self._walk()
                self._read(since)
                self._began = began
            return self._failed

    def letters(self, address: str, ids: Collection[str]) -> list[Letter]:
        """Do as `Drop.letters` says, for this part."""
        with self._lock:
            marks = [address.lower(), *ids]
            spots = {spot for mark in marks for spot in self._by_mark.get(mark, ())}
            return [self._letters[spot] for spot in spots]

    def _walk(self) -> None:
        """Learn which letters there are; none is opened."""
        walk = Walk(self._path, self._form)
        if walk.is_bare():
            raise FileNotFoundError(2, "the directory is bare")
        self.folders = tuple(walk.folders(self._owner))
        met: set[Path] = set()
        for place, spots in self._listed(walk):
            met.add(place)
            if spots is not None:
                self._put(place, spots)
        for place in self._places.keys() - met:
            self._put(place, frozenset())
            del self._places[place]

    def _put(self, place: Path, spots: frozenset[Spot]) -> None:
        """Learn what lies in one place now."""
        known = self._places.setdefault(place, _Place())
        for spot in known.spots - spots:
            self._unread.discard(spot)
            self._forget(spot)
        self._unread |= spots - known.spots
        known.spots = spots

    def _listed(self, walk: Walk) -> Iterator[tuple[Path, frozenset[Spot] | None]]:
        """Yield each directory or mbox file with its letters; None if they are the same."""
        if self._form == "mbox":
            self._mboxes = {f.path: self._mboxes.get(f.path) or Mbox(f) for f in self.folders}
            for path, mbox in self._mboxes.items():
                yield path, frozenset(mbox.letters())
            return
        for folder in self.folders:
            for directory in walk.directories(folder):
                yield directory, self._news(walk, directory, folder)

    def _news(self, walk: Walk, directory: Path, folder: Folder) -> frozenset[Spot] | None:
        """List a directory, unless it is one of a Maildir and has not changed for sure.

        The letters of a Maildir are never written to. A directory's time may be coarse: only
        when it has stood still for a while does the same time mean the same letters.
        """
        mark, now = mark_of(directory), monotonic()
        known = self._places.setdefault(directory, _Place())
        if known.mark != mark:
            known.mark, known.since, known.is_settled = mark, now, False
        elif known.is_settled and self._form == "maildir":
            return None
        spots = frozenset(walk.letters(directory, folder))
        known.is_settled = now - known.since >= SETTLED_S and mark_of(directory) == mark
        return spots

    def _read(self, since: datetime | None) -> None:
        """Open the letters that came after *since*; None: none."""
        self._failed = 0
        if since is None:
            return
        self._since = since if self._since is None else min(self._since, since)
        oldest = _nanoseconds(self._since)
        right = [s for s in self._unread if s.time_ns is None or s.time_ns >= oldest]
        right.sort(key=lambda spot: spot.time_ns or 0, reverse=True)
        for spot in right[:MAX_READ]:
            try:
                self._remember(_letter(spot))
                self._unread.discard(spot)
            except FileNotFoundError:
                pass  # moved or gone since it was listed: the next walk tells
            except OSError:
                self._failed += 1
        if len(right) > MAX_READ:
            raise TooMuchError(f"more than {MAX_READ} new letters")
        self._prune(since)

    def _remember(self, letter: Letter) -> None:
        self._letters[letter.spot] = letter
        for mark in letter.addresses | letter.ids:
            self._by_mark[mark][letter.spot] = None

    def _forget(self, spot: Spot) -> None:
        letter = self._letters.pop(spot, None)
        for mark in letter.addresses | letter.ids if letter else ():
            self._by_mark[mark].pop(spot, None)
            if not self._by_mark[mark]:
                del self._by_mark[mark]

    def _prune(self, since: datetime) -> None:
        """Forget what no look will ask for again."""
        oldest = since - KEPT_FOR if since > _FIRST + KEPT_FOR else _FIRST
        if self._since is None or self._since >= oldest:
            return
        self._since = oldest
        limit = _nanoseconds(oldest)
        for spot in [s for s in self._letters if s.time_ns is not None and s.time_ns < limit]:
            self._forget(spot)
            self._unread.add(spot)


_KINDS = {"maildir": "a Maildir", "mbox": "an mbox file", "eml": "an .eml file or a directory"}


def _nanoseconds(moment: datetime) -> int:
    """Return a moment as files tell it."""
    return int((moment - _EPOCH) / timedelta(microseconds=1)) * 1000


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
