"""Where letters lie in a Maildir, in mbox files, or in directories of .eml files.

Only looks: nothing is opened for writing, renamed, flagged or locked. (The standard library's
`mailbox` moves letters from new to cur and rewrites mbox files when it is told to flush.)
Symbolic links below the drop are not followed, and only regular files are opened.

Sources: cr.yp.to/proto/maildir.html; Maildir++ (courier-mta.org/maildir.html); RFC 4155 (mbox).
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path

MAX_ENTRIES = 100_000  # of all directories together
MAX_FOLDERS = 200
MAX_DEPTH = 3  # of directories in directories of .eml files
MAX_MBOX = 256 * 1024 * 1024  # bytes of one file
INBOX = "INBOX"

_CHUNK = 1024 * 1024
_BEGIN = b"From "
_BETWEEN = re.compile(rb"\n\r?\n(?=From )")
_INBOXES = {"inbox", "mbox", "new"}


class TooMuchError(Exception):
    """More than is read here; its text says of what."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory or an mbox file, and whose letters lie there."""

    path: Path
    name: str  # INBOX, or as the directory is called
    owner: str  # an address in lower case; "" where the letters are of many


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one letter lies. The same letter unchanged is an equal spot."""

    path: Path
    folder: str
    owner: str
    start: int = 0  # in an mbox file, after the line that begins "From "
    size: int = 0
    mark: tuple[int, ...] = ()  # inode, size and time of the file; of an mbox what it begins with
    came: datetime | None = None

    def read(self, limit: int) -> bytes:
        """Return the first *limit* bytes of the letter.

        Raises:
            OSError: it is gone, or it cannot be read.
        """
        with opened(self.path) as descriptor:
            return os.pread(descriptor, min(limit, self.size), self.start)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a regular file, never a link, a pipe or a device, and without waiting."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(f"{path} is no file")
        yield descriptor
    finally:
        os.close(descriptor)


class Walk:
    """One walk over a drop, counting what it meets.

    Raises:
        OSError: the drop or a part of it cannot be listed.
        TooMuchError: it holds more than we read.
    """

    def __init__(self, root: Path, form: str) -> None:
        self._root = root.resolve()  # the drop itself may be a link; what is in it may not
        self._form = form
        self._met = 0

    def folders(self) -> list[Folder]:
        """Return all folders, of the addresses that have a directory of their own too."""
        if self._form == "mbox" and not self._root.is_dir():
            return [Folder(self._root, INBOX, "")]
        bases = [(self._root, "")]
        bases += [
            (Path(e.path), e.name.lower()) for e in self._directories(self._root) if _is_of(e)
        ]
        found = [folder for base, owner in bases for folder in self._below(base, owner)]
        if len(found) > MAX_FOLDERS * len(bases):
            raise TooMuchError(f"more than {MAX_FOLDERS} folders")
        return found

    def is_bare(self) -> bool:
        """Is there nothing at all, as in a directory whose disk is not mounted?"""
        return self._root.is_dir() and next(iter(self._entries(self._root)), None) is None

    def letters(self, folder: Folder) -> Iterator[Spot]:
        """Yield the letters of a folder of a Maildir or of .eml files."""
        places = [folder.path / "new", folder.path / "cur"]
        for place in places if self._form == "maildir" else [folder.path]:
            for entry in self._entries(place):
                if self._form == "maildir" or entry.name.lower().endswith(".eml"):
                    spot = _spot(entry, folder)
                    if spot is not None:
                        yield spot

    def _below(self, base: Path, owner: str) -> Iterator[Folder]:
        if self._form == "maildir":
            return self._maildirs(base, owner)
        if self._form == "mbox":
            return self._mboxes(base, owner)
        return self._directories_of_eml(base, owner, "", 0)

    def _maildirs(self, base: Path, owner: str) -> Iterator[Folder]:
        if not _is_maildir(base) and _is_maildir(base / "Maildir"):
            base = base / "Maildir"
        if _is_maildir(base):
            yield Folder(base, INBOX, owner)
        for entry in self._directories(base):
            is_others = _is_of(entry) and not owner
            if entry.name in {"cur", "new", "tmp"} or is_others:
                continue
            if _is_maildir(Path(entry.path)):
                yield Folder(Path(entry.path), entry.name.removeprefix("."), owner)

    def _mboxes(self, base: Path, owner: str) -> Iterator[Folder]:
        for entry in self._entries(base):
            if not entry.is_file(follow_symlinks=False) or entry.name.startswith("."):
                continue
            name = re.sub(r"\.mbox$", "", entry.name, flags=re.IGNORECASE)
            if not owner and "@" in name:
                yield Folder(Path(entry.path), INBOX, name.lower())
            else:
                yield Folder(Path(entry.path), INBOX if name.lower() in _INBOXES else name, owner)

    def _directories_of_eml(
        self, base: Path, owner: str, name: str, depth: int
    ) -> Iterator[Folder]:
        yield Folder(base, name or INBOX, owner)
        for entry in self._directories(base) if depth < MAX_DEPTH else ():
            if not (_is_of(entry) and not owner) and not entry.name.startswith("."):
                below = f"{name}/{entry.name}" if name else entry.name
                path = Path(entry.path)
                yield from self._directories_of_eml(path, owner, below, depth + 1)

    def _directories(self, place: Path) -> Iterator["os.DirEntry[str]"]:
        return (e for e in self._entries(place) if e.is_dir(follow_symlinks=False))

    def _entries(self, place: Path) -> Iterator["os.DirEntry[str]"]:
        try:
            listing = os.scandir(place)
        except FileNotFoundError:
            if place == self._root:
                raise
            return  # it went while we walked, or this Maildir has no "new"
        with listing:
            for entry in listing:
                self._met += 1
                if self._met > MAX_ENTRIES:
                    raise TooMuchError(f"more than {MAX_ENTRIES} files")
                yield entry


def _is_of(entry: "os.DirEntry[str]") -> bool:
    """Is this directory that of one address?"""
    return "@" in entry.name


def _is_maildir(path: Path) -> bool:
    return any((path / part).is_dir() and not (path / part).is_symlink() for part in ("cur", "new"))


def _spot(entry: "os.DirEntry[str]", folder: Folder) -> Spot | None:
    try:
        known = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(known.st_mode) or entry.name.startswith("."):
        return None
    return Spot(
        path=Path(entry.path),
        folder=folder.name,
        owner=folder.owner,
        size=known.st_size,
        mark=(known.st_ino, known.st_size, known.st_mtime_ns),
        came=_moment(known.st_mtime_ns),
    )


def _moment(nanoseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


@dataclass(slots=True)
class Mbox:
    """One mbox file, read on from where the last look ended."""

    folder: Folder
    _mark: tuple[int, int, int] = (0, 0, 0)  # inode, size, time
    _spots: tuple[Spot, ...] = ()

    def letters(self) -> tuple[Spot, ...]:
        """Return its letters.

        Raises:
            OSError: it is gone or cannot be read.
            TooMuchError: it is too large.
            BlockingIOError: it has become shorter since the last look: somebody may be writing
                it anew, and what is not there yet is not gone. The next look believes it.
        """
        with opened(self.folder.path) as descriptor:
            known = os.fstat(descriptor)
            mark = (known.st_ino, known.st_size, known.st_mtime_ns)
            if mark == self._mark:
                return self._spots
            if known.st_size > MAX_MBOX:
                raise TooMuchError(f"{known.st_size} bytes in {self.folder.path.name}")
            has_shrunk = known.st_size < self._mark[1]
            kept = self._spots[:-1] if self._is_longer(descriptor, known) else ()
            begin = kept[-1].start + kept[-1].size if kept else 0
            self._spots = (*kept, *self._read_on(descriptor, begin, known))
            self._mark = mark
        if has_shrunk:
            raise BlockingIOError(f"{self.folder.path.name} is being written anew")
        return self._spots

    def _is_longer(self, descriptor: int, known: os.stat_result) -> bool:
        """Has the file only grown? Then all letters but the last stand where they stood."""
        inode, size, _ = self._mark
        return (
            known.st_ino == inode
            and known.st_size > size
            and all(_beginning(descriptor, s.start) == s.mark for s in self._spots[-2:])
        )

    def _read_on(self, descriptor: int, begin: int, known: os.stat_result) -> Iterator[Spot]:
        starts = list(islice(_starts(descriptor, begin, known.st_size), MAX_ENTRIES + 1))
        if len(starts) > MAX_ENTRIES:
            raise TooMuchError(f"more than {MAX_ENTRIES} letters in {self.folder.path.name}")
        for start, end in pairwise([*starts, known.st_size]):
            line = os.pread(descriptor, 1024, start).partition(b"\n")
            after = start + len(line[0]) + len(line[1])
            yield Spot(
                path=self.folder.path,
                folder=self.folder.name,
                owner=self.folder.owner,
                start=after,
                size=max(0, end - after),
                mark=_beginning(descriptor, after),
            )


def _starts(descriptor: int, begin: int, size: int) -> Iterator[int]:
    """Yield where letters begin: at "From " at the beginning, or after an empty line."""
    # What was read before ended at a letter's end: blank lines may stand between.
    head = os.pread(descriptor, 16, begin)
    blank = len(head) - len(head.lstrip(b"\r\n"))
    if head[blank : blank + len(_BEGIN)] != _BEGIN:
        return
    yield begin + blank
    at = begin + blank
    while at < size:
        chunk = os.pread(descriptor, _CHUNK, at)
        if not chunk:
            return  # the file was cut off meanwhile
        found = [at + match.end() for match in _BETWEEN.finditer(chunk)]
        yield from found
        # The end of a chunk is looked at again: an empty line may lie across it.
        at = max(at + len(chunk) - len(_BEGIN) - 2, found[-1] if found else 0, at + 1)
        if len(chunk) < _CHUNK:
            return


def _beginning(descriptor: int, start: int) -> tuple[int, ...]:
    """A mark of how a letter in an mbox begins."""
    return (start, hash(os.pread(descriptor, 256, start)))
