"""Where letters lie in a Maildir or in directories of .eml files, and where mbox files are.

Only looks: nothing is opened for writing, renamed, flagged or locked. (The standard library's
`mailbox` moves letters from new to cur and rewrites mbox files when it is told to flush.)
Symbolic links below the drop are not followed, and only regular files are opened.

Sources: cr.yp.to/proto/maildir.html; Maildir++ (courier-mta.org/maildir.html).
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

MAX_ENTRIES = 100_000  # of all directories together
MAX_FOLDERS = 200
MAX_DEPTH = 3  # of directories in directories of .eml files
INBOX = "INBOX"

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
    """Where one letter lies. The same letter unchanged is an equal spot.

    There may be many thousands, so that they are compared by little, and hold little.
    """

    path: str
    start: int = 0  # in an mbox file, after the line that begins "From "
    mark: tuple[int, ...] = ()  # inode, size and time of the file; of an mbox what it begins with
    folder: str = field(default=INBOX, compare=False)
    owner: str = field(default="", compare=False)
    size: int = 0  # of the last one of an mbox it may still grow
    time_ns: int | None = field(default=None, compare=False)  # of the file, since 1970

    @property
    def came(self) -> datetime | None:
        return None if self.time_ns is None else _moment(self.time_ns)

    def read(self, limit: int) -> bytes:
        """Return the first *limit* bytes of the letter.

        Raises:
            OSError: it is gone, or it cannot be read.
        """
        with opened(self.path) as descriptor:
            return os.pread(descriptor, min(limit, self.size), self.start)


@contextmanager
def opened(path: str | Path) -> Iterator[int]:
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

    def folders(self, owner: str) -> list[Folder]:
        """Return the folders of an address that has a place of its own; of "", the shared ones."""
        if self._form == "mbox" and not self._root.is_dir():
            return [] if owner else [Folder(self._root, INBOX, "")]
        bases = [self._root]
        if owner:
            of_owner = [e for e in self._directories(self._root) if e.name.lower() == owner]
            bases = [Path(entry.path) for entry in of_owner]
        found = [folder for base in bases for folder in self._below(base, owner)]
        if owner and self._form == "mbox":
            found += [f for f in self._mboxes(self._root, "") if f.owner == owner]
        found = [folder for folder in found if folder.owner == owner]
        if len(found) > MAX_FOLDERS:
            raise TooMuchError(f"more than {MAX_FOLDERS} folders")
        return found

    def is_bare(self) -> bool:
        """Is there nothing at all, as in a directory whose disk is not mounted?"""
        return self._root.is_dir() and next(iter(self._entries(self._root)), None) is None

    def directories(self, folder: Folder) -> list[Path]:
        """Return the directories in which the letters of *folder* lie."""
        if self._form == "maildir":
            return [folder.path / "new", folder.path / "cur"]
        return [folder.path]

    def letters(self, directory: Path, folder: Folder) -> Iterator[Spot]:
        """Yield the letters in one of the directories of a folder."""
        for entry in self._entries(directory):
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
        within = base / "Maildir"
        if not _is_maildir(base) and _is_maildir(within) and not within.is_symlink():
            base = within
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
        is_ours = bool(owner) or depth > 0  # not if it holds the directories of addresses alone
        for entry in self._entries(base) if depth < MAX_DEPTH else ():
            is_directory = entry.is_dir(follow_symlinks=False)
            if is_directory and _is_of(entry) and not owner:
                continue
            is_ours = True
            if is_directory and not entry.name.startswith("."):
                below = f"{name}/{entry.name}" if name else entry.name
                path = Path(entry.path)
                yield from self._directories_of_eml(path, owner, below, depth + 1)
        if is_ours:
            yield Folder(base, name or INBOX, owner)

    def _directories(self, place: Path) -> Iterator["os.DirEntry[str]"]:
        return (e for e in self._entries(place) if e.is_dir(follow_symlinks=False))

    def _entries(self, place: Path) -> Iterator["os.DirEntry[str]"]:
        if place != self._root and place.is_symlink():
            return
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
        path=entry.path,
        mark=(known.st_ino, known.st_size, known.st_mtime_ns),
        folder=folder.name,
        owner=folder.owner,
        size=known.st_size,
        time_ns=known.st_mtime_ns,
    )


def mark_of(directory: Path) -> tuple[int, int] | None:
    """What changes when a name is put into a directory or taken out of it; None if it is gone."""
    try:
        known = directory.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return known.st_ino, known.st_mtime_ns


def _moment(nanoseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
