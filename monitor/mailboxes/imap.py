"""Reads a seed mailbox over IMAP and leaves no trace in it: EXAMINE and BODY.PEEK only."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from monitor.core.campaigns import Found, Wanted
from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes import imap_ask as ask
from monitor.mailboxes import imap_wire as wire
from monitor.mailboxes.folders import ORDER, Place, places
from monitor.mailboxes.imap_client import ImapClient, Reply
from monitor.mailboxes.imap_memory import Memory, Recogniser
from monitor.mailboxes.imap_stream import ConnectionLostError, FloodError
from monitor.mailboxes.imap_visit import Manner, Visit
from monitor.mailboxes.imap_wire import Listed, Response

MAX_ROUNDS = 6  # of one look; a folder that changes faster than that is not readable

_LIST = b'LIST "" "*"'
_LIST_SPECIAL_USE = b'LIST "" "*" RETURN (SPECIAL-USE)'

T = TypeVar("T")


class ImapMailbox:
    """A `Mailbox` (see core/ports.py) over IMAP; its connection is kept between looks.

    Safe between threads: one of them reads at a time. Once closed, it holds neither a
    connection nor anything it remembered; the next look opens it again, as at first.

    Args:
        timeout_s: how long connecting, and each exchange after it, may take.
        ca_file: CA certificates to trust instead of the system's.
        max_header_bytes: of one copy; the rest is not fetched.
    """

    def __init__(
        self,
        account: Account,
        facts: ProviderFacts,
        *,
        timeout_s: float,
        ca_file: str | None = None,
        max_header_bytes: int = 64 * 1024,
    ) -> None:
        self._account = account
        self._facts = facts
        self._timeout_s = timeout_s
        self._ca_file = ca_file
        self._max_header_bytes = max_header_bytes
        self._lock = threading.Lock()
        self._client: ImapClient | None = None
        self._places: list[Place] = []
        self._is_just_listed = False
        self._memories: dict[bytes, Memory] = {}

    @property
    def round_trips(self) -> int:
        """How often the present connection waited for the server."""
        return self._client.round_trips if self._client else 0

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        """Look for nothing to prove that the mailbox can be read."""
        work = self._look if wanted else self._prove
        with self._lock:
            return self._retrying(lambda client: work(client, wanted))

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        with self._lock:
            return self._retrying(lambda client: self._read(client, message_id, limit))

    def close(self) -> None:
        with self._lock:
            self._drop()
            self._places = []
            self._memories.clear()

    def _retrying(self, work: Callable[[ImapClient], T]) -> T:
        """Do *work*, on a new connection if the server has closed the kept one meanwhile."""
        was_kept = self._client is not None
        try:
            return self._guarded(work)
        except ConnectionLostError:
            if not was_kept:
                raise
            return self._guarded(work)

    def _guarded(self, work: Callable[[ImapClient], T]) -> T:
        is_done = False
        try:
            result = work(self._connected())
            is_done = True
        except FloodError:
            self._memories.clear()  # what has come since is too much: search by date again
            raise
        except MailboxLockedError as error:
            raise MailboxLockedError(
                error.what, remedy=error.remedy or self._facts.login_remedy
            ) from error
        finally:
            if not is_done:
                self._drop()  # answers may still be under way that nobody waits for
        return result

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> ImapClient:
        if self._client is None:
            self._client = ImapClient(
                self._account, timeout_s=self._timeout_s, ca_file=self._ca_file
            )
            self._places = self._list(self._client)
            self._is_just_listed = True
        return self._client

    def _list(self, client: ImapClient) -> list[Place]:
        lines = _list_commands(client)
        replies = client.batch(lines if client.capabilities else [*lines, b"CAPABILITY"])
        if not replies[0].is_ok:
            raise _complaint(client)("its folders are not listed", replies[0].end)
        return places(_merged(replies), self._facts)

    def _look(self, client: ImapClient, wanted: Sequence[Wanted]) -> list[Found]:
        known = self._remembered(wanted) | {w.message_id for w in wanted if w.was_found}
        visits = self._visit(client, wanted)
        found = _first_found(visits)
        if known - found.keys() and not all(v.is_fresh and not v.lost_any for v in visits):
            # A copy that was there is nowhere now. Before we say so, look without relying
            # on memory: it may have moved to a folder that had been asked already.
            self._memories.clear()
            visits = self._visit(client, wanted)
            found = _first_found(visits)
        for visit in visits:
            visit.settle()
        return list(found.values())

    def _prove(self, client: ImapClient, _: Sequence[Wanted]) -> list[Found]:
        reply = client.batch([b"EXAMINE INBOX"])[0]
        if not reply.is_ok:
            raise _complaint(client)("its inbox does not open", reply.end)
        return []

    def _remembered(self, wanted: Sequence[Wanted]) -> set[str]:
        """Return the Message-IDs of those that an earlier look found."""
        recogniser = Recogniser(wanted)
        return {
            known.wanted.message_id
            for memory in self._memories.values()
            for _, known in recogniser.ours(memory)
        }

    def _visit(self, client: ImapClient, wanted: Sequence[Wanted]) -> list[Visit]:
        """Look into all folders at once, round by round, and remember what was learnt."""
        manner = self._manner(client, wanted)
        visits = [self._new_visit(place, wanted, manner) for place in self._places]
        news = [] if self._is_just_listed else _list_commands(client)
        self._is_just_listed = False
        for _ in range(MAX_ROUNDS):
            is_short = sum(visit.sighted for visit in visits) < len(wanted)
            plans = [(visit, visit.commands(is_short=is_short)) for visit in visits]
            lines = news + [line for _, commands in plans for line in commands]
            if not lines:
                self._memories = {v.place.raw: v.memory for v in visits if v.memory is not None}
                return visits
            replies = client.batch(lines, max_literal=4 * self._max_header_bytes)
            if news:
                new = self._newly_listed(replies[: len(news)])
                visits += [self._new_visit(place, wanted, manner) for place in new]
                del replies[: len(news)]
                news = []
            for visit, commands in plans:
                visit.absorb(replies[: len(commands)])
                del replies[: len(commands)]
        raise client.stream.busy("its folders change faster than they can be read")

    def _newly_listed(self, replies: Sequence[Reply]) -> list[Place]:
        """Return folders that have appeared since the last look."""
        known = {place.raw for place in self._places}
        now = places(_merged(replies), self._facts) if replies[0].is_ok else []
        new = [place for place in now if place.raw not in known]
        self._places += new
        return new

    def _new_visit(self, place: Place, wanted: Sequence[Wanted], manner: Manner) -> Visit:
        return Visit(place, self._memories.get(place.raw), wanted, manner)

    def _manner(self, client: ImapClient, wanted: Sequence[Wanted]) -> Manner:
        tabs = self._facts.tabs if _is_gmail(client) else ()
        return Manner(self._max_header_bytes, tabs, Recogniser(wanted), _complaint(client))

    def _read(self, client: ImapClient, message_id: str, limit: int) -> bytes | None:
        recogniser = Recogniser([Wanted(message_id, "", datetime.max.replace(tzinfo=UTC))])
        for place in self._places:
            memory = self._memories.get(place.raw)
            if memory is None:
                continue
            for uid, _ in recogniser.ours(memory):
                data = self._fetch(client, place, uid, limit, validity=memory.validity)
                if data is not None:
                    return data
        return self._search_and_read(client, message_id, limit)

    def _search_and_read(self, client: ImapClient, message_id: str, limit: int) -> bytes | None:
        """Read a copy that is not where we know it, or that an earlier process found."""
        key = ask.named(message_id)
        lines = [line for place in self._places for line in (ask.examine(place), key)]
        replies = client.batch(lines)
        for place, opened, searched in zip(self._places, replies[::2], replies[1::2], strict=True):
            uids = [uid for response in searched.data for uid in wire.found_uids(response)]
            if opened.is_ok and searched.is_ok and uids:
                return self._fetch(client, place, uids[0], limit)
        return None

    def _fetch(
        self, client: ImapClient, place: Place, uid: int, limit: int, *, validity: str | None = None
    ) -> bytes | None:
        lines = [ask.examine(place), ask.beginning(uid, max_bytes=limit)]
        opened, replied = client.batch(lines, max_literal=limit)
        if not opened.is_ok or (validity is not None and opened.code("UIDVALIDITY") != validity):
            return None
        for message in filter(None, map(wire.fetched, replied.data)):
            if message.uid == uid and message.section:
                return message.data
        return None


def _list_commands(client: ImapClient) -> list[bytes]:
    """Ask for SPECIAL-USE where that is announced, or where nothing is: some tell it only then.

    Gmail tells it always, and has refused to be asked.
    """
    may_ask = {"SPECIAL-USE", "LIST-EXTENDED"} <= client.capabilities and not _is_gmail(client)
    return [_LIST, _LIST_SPECIAL_USE] if may_ask or not client.capabilities else [_LIST]


def _is_gmail(client: ImapClient) -> bool:
    return "X-GM-EXT-1" in client.capabilities


def _complaint(client: ImapClient) -> Callable[[str, Response], MailboxBusyError]:
    return lambda problem, response: client.stream.busy(f"{problem} ({client.said(response)})")


def _merged(replies: Iterable[Reply]) -> list[Listed]:
    """Draw the answers to several LIST commands together: each may tell other attributes."""
    merged: dict[bytes, Listed] = {}
    for reply in replies:
        for folder in filter(None, map(wire.listed, reply.data)):
            before = merged.get(folder.raw, folder)
            attributes = before.attributes | folder.attributes
            merged[folder.raw] = Listed(folder.raw, attributes, folder.delimiter)
    return list(merged.values())


def _first_found(visits: Iterable[Visit]) -> dict[str, Found]:
    """Return each copy at the first place where it lies; folders come in order of weight."""
    found: dict[str, Found] = {}
    for visit in sorted(visits, key=lambda v: ORDER.index(v.place.role)):
        for message_id, copy in visit.found().items():
            found.setdefault(message_id, copy)
    return found
