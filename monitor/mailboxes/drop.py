"""Reads a seed whose mail another system lays down as files: Maildir, mbox, or .eml files."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from monitor.core.campaigns import Found, Role, Wanted
from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.core.folders import FolderSight
from monitor.core.ports import PartlyReadError
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes.candidates import MAX_HEADER_BYTES, Candidate, Chosen, choose
from monitor.mailboxes.drop_files import Spot, TooMuchError
from monitor.mailboxes.drop_index import Drop, Letter
from monitor.mailboxes.named_folders import sight_named

MAX_BODY = 256 * 1024
MAX_BODIES = 50  # of letters that no header tells, in one look, the newest first
# A letter's time is that of its file, which another system may have set by its own clock.
SLACK = timedelta(days=2)
_FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Sight:
    """What one look into the drop showed."""

    found: dict[str, Chosen]
    letters: dict[str, Letter]  # by the keys of `found`
    unread: int  # files that could not be opened


class DropMailbox:
    """A `Mailbox` (see core/ports.py) of one seed in a drop, which many seeds may share.

    A letter is the seed's if it lies in a directory that is named after the address, or if a
    recipient header names the address. Nothing is written, renamed, flagged or locked.

    Args:
        facts: whose folder names tell which place is spam.
    """

    def __init__(self, account: Account, facts: ProviderFacts, drop: Drop) -> None:
        self._account = account
        self._facts = facts
        self._drop = drop
        self._sights: dict[str, FolderSight] = {}
        self._known: dict[str, Letter] = {}  # where each copy was found last

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        """Look for nothing to prove that the drop can be read."""
        sight = self._look(wanted)
        lost = {w.message_id for w in wanted if w.was_found} - sight.found.keys()
        if lost:  # it may have been moved, while we looked, to where we had been already
            sight = self._look(wanted)
        self._known |= {name: sight.letters[one.key] for name, one in sight.found.items()}
        found = [self._with_headers(one, sight.letters[one.key]) for one in sight.found.values()]
        if sight.unread:
            raise PartlyReadError(
                self._words(f"{sight.unread} files cannot be opened"),
                partial=found,
                remedy="Let the user that runs Seedwatch read them.",
            )
        return found

    def layout(self) -> list[FolderSight]:
        """Say of every folder of this seed what it is for, and why. Raises as `look`."""
        self._refresh(None)
        return [self._sight(name) for name in self._drop.folders_of(self._account.address)]

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        known = self._known.get(message_id)
        letters = [known] if known else []
        for letter in (*letters, *self._searched(message_id)):
            try:
                return letter.spot.read(limit)
            except OSError:
                continue  # it has been moved or is gone
        return None

    def close(self) -> None:
        """There is no connection, and what is remembered belongs to the drop."""

    def _searched(self, message_id: str) -> Iterator[Letter]:
        """Look anew, for a copy that is not where we know it or that another process found."""
        self._refresh(_FIRST)
        yield from self._drop.letters(self._account.address, {message_id})

    def _look(self, wanted: Sequence[Wanted]) -> _Sight:
        since = min((w.sent_at for w in wanted), default=None)
        unread = self._refresh(since and since - SLACK)
        ids = {one for w in wanted for one in (w.message_id, *w.other_ids)}
        letters = {
            str(number): letter
            for number, letter in enumerate(self._drop.letters(self._account.address, ids))
        }
        chosen = {one.found.message_id: one for one in self._choose(letters, wanted)}
        missed = [w for w in wanted if w.message_id not in chosen]
        if missed:
            rest = _unknown(letters, chosen.values(), min(w.sent_at for w in missed) - SLACK)
            chosen |= {
                one.found.message_id: one for one in self._choose(rest, missed, with_bodies=True)
            }
        return _Sight(chosen, letters, unread)

    def _choose(
        self,
        letters: dict[str, Letter],
        wanted: Sequence[Wanted],
        *,
        with_bodies: bool = False,
    ) -> list[Chosen]:
        return choose(self._candidates(letters, with_bodies=with_bodies), wanted)

    def _candidates(self, letters: dict[str, Letter], *, with_bodies: bool) -> Iterator[Candidate]:
        for key, letter in letters.items():
            sight = self._sight(letter.spot.folder)
            if sight.role is None:
                continue  # the owner's own mail, such as drafts
            yield Candidate(
                key=key,
                folder=sight.name,
                role=sight.role,
                headers=letter.fields,
                tab=sight.name if sight.role is Role.TAB else "",
                received_at=letter.came,
                body=_body(letter.spot) if with_bodies else None,
            )

    def _sight(self, folder: str) -> FolderSight:
        if folder not in self._sights:
            self._sights[folder] = sight_named(folder, self._facts, delimiter=self._drop.delimiter)
        return self._sights[folder]

    def _with_headers(self, one: Chosen, letter: Letter) -> Found:
        try:
            headers = header_of(letter.spot.read(MAX_HEADER_BYTES))
        except OSError:
            headers = letter.fields  # it has just gone; what we remember of it must do
        return replace(one.found, headers=headers)

    def _refresh(self, since: datetime | None) -> int:
        """Read what is new in the drop; return how many files could not be opened.

        Raises:
            MailboxLockedError, MailboxBusyError: nothing can be said of what lies there.
        """
        try:
            return self._drop.refresh(self._account.address, since)
        except PermissionError as error:
            raise MailboxLockedError(
                self._words(f"{error.filename or self._drop.path} may not be read"),
                remedy="Let the user that runs Seedwatch read it.",
            ) from error
        except TooMuchError as error:
            raise MailboxBusyError(
                self._words(f"it holds more than is read ({error})"),
                remedy="Let old mail be taken away from there.",
            ) from error
        except BlockingIOError as error:
            raise MailboxBusyError(self._words(str(error))) from error
        except OSError as error:
            raise MailboxBusyError(
                self._words(f"{self._drop.path} cannot be used ({error.strerror or error})"),
                remedy=f"Check [drops.{self._account.drop}] path and form, "
                "and that its disk is mounted.",
            ) from error

    def _words(self, problem: str) -> str:
        return f"cannot read {self._account.address}: its drop cannot be read: {problem}."


def header_of(raw: bytes) -> bytes:
    """Return the header block of a letter, or of its beginning."""
    ends = [at for mark in (b"\r\n\r\n", b"\n\n") if (at := raw.find(mark)) >= 0]
    return raw[: min(ends) + 2] if ends else raw


def _body(spot: Spot) -> bytes:
    try:
        raw = spot.read(MAX_BODY)
    except OSError:
        return b""
    return raw[len(header_of(raw)) :]


def _unknown(
    letters: dict[str, Letter], known: Iterable[Chosen], since: datetime
) -> dict[str, Letter]:
    """Return the letters of the right days of which the headers told nothing."""
    taken: Collection[str] = {one.key for one in known}
    rest = [
        (key, letter)
        for key, letter in letters.items()
        if key not in taken and (letter.came is None or letter.came >= since)
    ]
    rest.sort(key=lambda pair: pair[1].came or since, reverse=True)
    return dict(rest[:MAX_BODIES])
