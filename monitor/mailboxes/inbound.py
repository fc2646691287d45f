"""Reads a seed whose system reports its mail to us by web hook."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from monitor.core.campaigns import Found, Role, Wanted
from monitor.core.errors import MailboxBusyError
from monitor.core.folders import FolderSight
from monitor.core.ports import PartlyReadError
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes.candidates import MAX_HEADER_BYTES, Candidate, choose
from monitor.mailboxes.drop import header_of
from monitor.mailboxes.named_folders import sight_named

CLOCKS_DIFFER = timedelta(minutes=10)
ALIVE_FOR = timedelta(hours=24)  # after a report, silence says something
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reported:
    """A message as it was reported."""

    key: int
    folder: str  # in the reporting system's words; "" for the inbox
    received_at: datetime  # when the report came
    raw: bytes  # its beginning


@dataclass(frozen=True, slots=True)
class Heard:
    """What has been reported of one address."""

    messages: Sequence[Reported]
    is_whole: bool  # False: there were more than are handed out
    is_alive: bool  # was anything reported within ALIVE_FOR?


class Reports(Protocol):
    """What web hooks have told so far."""

    def heard(self, address: str, since: datetime | None) -> Heard:
        """Return what was reported of *address* after *since*, or ever, the newest first."""
        ...

    def raw(self, key: int, limit: int) -> bytes | None:
        """Return the beginning of a reported message, or None if it is no longer kept."""
        ...


class InboundMailbox:
    """A `Mailbox` (see core/ports.py) of what was reported of one seed.

    That nothing was reported may mean that nothing arrived, or that the hook is broken. So a
    copy that was not reported is nowhere only while the hook is heard of: if it has told
    nothing of this seed for ALIVE_FOR, nobody can say.
    """

    def __init__(self, account: Account, facts: ProviderFacts, reports: Reports) -> None:
        self._account = account
        self._facts = facts
        self._reports = reports
        self._known: dict[str, int] = {}

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        """Find the copies that were reported; a hook cannot be asked, so nothing else is proven.

        Raises:
            PartlyReadError: the copies that were not reported may be there all the same.
            MailboxBusyError: the same, where none was.
        """
        since = min((w.sent_at for w in wanted), default=None)
        heard = self._reports.heard(self._account.address, since and since - CLOCKS_DIFFER)
        by_key = {str(one.key): one for one in heard.messages}
        chosen = choose([c for one in heard.messages if (c := self._candidate(one))], wanted)
        self._known |= {one.found.message_id: by_key[one.key].key for one in chosen}
        found = [one.found for one in chosen]
        if len(found) == len(wanted):
            return found
        if not heard.is_alive:
            raise self._silent(found, "its web hook has told nothing within the last 24 hours")
        if not heard.is_whole:
            raise self._silent(found, f"more than {len(heard.messages)} messages were reported")
        return found

    def layout(self) -> list[FolderSight]:
        """Say of every place that was reported what it is for, and why."""
        heard = self._reports.heard(self._account.address, None)
        named = {sight_named(one.folder, self._facts) for one in heard.messages}
        return sorted(named, key=lambda sight: sight.name)

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        if message_id not in self._known:
            wanted = Wanted(message_id, "", _LAST)
            heard = self._reports.heard(self._account.address, None)
            candidates = [c for one in heard.messages if (c := self._candidate(one))]
            for one in choose(candidates, [wanted]):
                self._known[message_id] = int(one.key)
        key = self._known.get(message_id)
        return None if key is None else self._reports.raw(key, limit)

    def close(self) -> None:
        """There is no connection."""

    def _candidate(self, one: Reported) -> Candidate | None:
        sight = sight_named(one.folder, self._facts)
        if sight.role is None:
            return None  # the owner's own mail, such as drafts
        headers = header_of(one.raw)
        return Candidate(
            key=str(one.key),
            folder=sight.name,
            role=sight.role,
            headers=headers[:MAX_HEADER_BYTES],
            tab=sight.name if sight.role is Role.TAB else "",
            received_at=one.received_at,
            body=one.raw[len(headers) :],
        )

    def _silent(self, found: Sequence[Found], problem: str) -> MailboxBusyError:
        what = f"nobody knows what else {self._account.address} received: {problem}."
        remedy = "Check that its system still calls the web hook (docs/reading.md)."
        if found:
            return PartlyReadError(what, partial=found, remedy=remedy)
        return MailboxBusyError(what, remedy=remedy)
