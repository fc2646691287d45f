"""Letters in an mbox file, which others append to while we read. Nothing is written or locked.

Source: RFC 4155.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

from monitor.mailboxes.drop_files import MAX_ENTRIES, Folder, Spot, TooMuchError, opened

MAX_MBOX = 256 * 1024 * 1024  # bytes of one file

_CHUNK = 1024 * 1024
_BEGIN = b"From "
_BETWEEN = re.compile(rb"\n\r?\n(?=From )")


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
                path=str(self.folder.path),
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
