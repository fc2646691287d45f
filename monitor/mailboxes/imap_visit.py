"""One look into one folder: which commands to send next, and what their replies mean.

All folders of a mailbox are asked together, round by round, each round in one write. A
first visit searches by date; a later one fetches what has come since and asks who is
still there. Nothing here waits, and every command only reads.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from monitor.core.campaigns import Found, Match, Role, Wanted
from monitor.core.errors import MailboxBusyError
from monitor.evidence.recognise import Recognised
from monitor.mailboxes import imap_ask as ask
from monitor.mailboxes import imap_wire as wire
from monitor.mailboxes.folders import Place
from monitor.mailboxes.imap_client import Reply
from monitor.mailboxes.imap_memory import MAX_KNOWN, Memory, Recogniser
from monitor.mailboxes.imap_wire import Response

MAX_WHOLE = 64  # headers fetched whole before we know whose they are
FEW = 16  # so few candidates are fetched whole even where searching told nothing
SMALL = 100  # so few others are compared even where nobody misses a copy

# SEARCH goes by the server's own calendar, which may be a day off ours.
_DAY = timedelta(days=1)
_STRENGTH = list(Match)
_GONE_WORDS = ("exist", "not found", "no such", "unknown mailbox")


@dataclass(frozen=True, slots=True)
class Manner:
    """How the folders of one mailbox are read."""

    max_header_bytes: int
    tabs: tuple[str, ...]  # categories that the server can tell of the inbox's messages
    recogniser: Recogniser  # of what is wanted in this look
    complaint: Callable[[str, Response], MailboxBusyError]


class Visit:
    """One look into one folder for *wanted*, with what is remembered of it."""

    def __init__(
        self, place: Place, memory: Memory | None, wanted: Sequence[Wanted], manner: Manner
    ) -> None:
        self.place = place
        self.memory = memory
        self.lost_any = False  # one vanished while we looked: it may have moved
        self._wanted = wanted
        self._manner = manner
        self._tabs = manner.tabs if place.role is Role.INBOX else ()
        self._since = min(w.sent_at for w in wanted) - _DAY
        if memory is not None and (memory.next_uid < 1 or self._since < memory.since):
            self.memory = None
        self.is_fresh = self.memory is None  # does nothing rest on memory?
        self._asked: list[str] = []
        self._is_surveyed = False
        self._is_empty = False
        self._candidates: list[int] = []
        self._present: set[int] = set()
        self._whole: set[int] = set()  # to fetch: the headers
        self._fields: set[int] = set()  # being fetched: the needed ones
        self._tab_asked: set[int] = set()
        self._tab_of: dict[int, str] = {}
        self._mine: list[tuple[int, Recognised]] | None = None  # until more is absorbed

    @property
    def sighted(self) -> int:
        """How many of the wanted lie here, as far as we can tell in this round."""
        return len(self._ours()) + len(self._whole)

    def commands(self, *, is_short: bool) -> list[bytes]:
        """Return what to send in this round; nothing once all is known.

        Args:
            is_short: fewer are sighted in all folders together than are wanted, so that
                it is worth comparing messages that searching did not bring up.
        """
        round_ = list(self._details(is_short=is_short) if self._is_surveyed else self._survey())
        self._asked = [kind for kind, _ in round_]
        return [line for _, line in round_]

    def absorb(self, replies: Sequence[Reply]) -> None:
        """Take in the replies to the latest `commands`.

        Raises:
            MailboxBusyError: a refusal, so that nothing can be said about this folder.
        """
        self._mine = None
        memory = self._opened(replies[0]) if replies else None
        if memory is None:
            return  # the replies that follow are about no folder
        for asked, reply in zip(self._asked[1:], replies[1:], strict=True):
            kind, _, argument = asked.partition(":")
            if kind == "tab":
                self._absorb_tab(argument, reply)
            elif kind == "marked":
                self._absorb_marked(reply, memory)
            else:
                self._check(kind, reply)
                self._absorb_data(kind, reply, memory)
        self._is_surveyed = True

    def found(self) -> dict[str, Found]:
        """Return the wanted copies that lie here, by Message-ID."""
        if self.memory is None:
            return {}
        return {
            known.wanted.message_id: self._found(self.memory, uid, known)
            for uid, known in self._ours()
        }

    def settle(self) -> None:
        """Forget what nobody will ask for any longer."""
        if self.memory is not None:
            self.memory.prune(self._since)
            self.memory.keep_headers(u for u, k in self._ours() if not k.wanted.was_found)

    def _found(self, memory: Memory, uid: int, known: Recognised) -> Found:
        tab = self._tab_of.get(uid, "") or self.place.tab
        return Found(
            message_id=known.wanted.message_id,
            folder=self.place.name,
            role=Role.TAB if tab else self.place.role,
            tab=tab,
            received_at=memory[uid].received_at,
            headers=memory.headers.get(uid, b""),
            match=known.match,
        )

    def _ours(self) -> list[tuple[int, Recognised]]:
        """Return the wanted copies that lie here; of duplicates, the surest and oldest."""
        if self._mine is None:
            self._mine = self._recognised()
        return self._mine

    def _recognised(self) -> list[tuple[int, Recognised]]:
        best: dict[str, tuple[int, Recognised]] = {}
        mine = self._manner.recogniser.ours(self.memory) if self.memory else ()
        for uid, known in mine:
            if uid not in self._present:
                continue
            before = best.get(known.wanted.message_id)
            if before is None or _rank(known) < _rank(before[1]):
                best[known.wanted.message_id] = (uid, known)
        return list(best.values())

    def _survey(self) -> Iterator[tuple[str, bytes]]:
        yield "examine", ask.examine(self.place)
        if self.memory is None:
            yield "candidates", ask.since(self._since)
            yield "marked", ask.marked_since(self._since, self._wanted)
            return
        yield "new", ask.new_fields(self.memory.next_uid)
        known = {uid for uid, _ in self._manner.recogniser.ours(self.memory)}
        if known:
            yield "present", ask.still_there(known)
            yield from self._ask_tabs(known)

    def _details(self, *, is_short: bool) -> Iterator[tuple[str, bytes]]:
        if self.memory is None:
            return
        mine = self._ours()
        untold = {uid for uid, known in mine if not known.wanted.was_found}
        self._whole = (self._whole | untold) - self.memory.headers.keys()
        tabless = ({uid for uid, _ in mine} | self._whole) - self._tab_asked
        must = self._whole or (is_short and self.memory.unread) or (self._tabs and tabless)
        if not must:
            return
        is_cheap = len(self.memory.unread) <= SMALL  # and may save a round trip next time
        self._fields = self.memory.unread - self._whole if is_short or is_cheap else set()
        yield "examine", ask.examine(self.place)
        if self._whole:
            limit = self._manner.max_header_bytes
            yield "whole", ask.headers(self._whole, max_bytes=limit)
        if self._fields:
            yield "fields", ask.fields(self._fields)
        yield from self._ask_tabs(tabless)

    def _ask_tabs(self, uids: set[int]) -> Iterator[tuple[str, bytes]]:
        if not self._tabs or not uids:
            return
        self._tab_asked |= uids
        for tab in self._tabs:
            yield f"tab:{tab}", ask.in_tab(uids, tab)

    def _opened(self, reply: Reply) -> Memory | None:
        """Understand the reply to EXAMINE; None if the folder is gone or no longer the same."""
        if not reply.is_ok:
            if not self._is_gone(reply):
                raise self._manner.complaint(f"folder {self.place.name} does not open", reply.end)
            self.memory, self._is_surveyed, self._whole = None, True, set()
            return None
        validity = reply.code("UIDVALIDITY") or ""
        self._is_empty = any(r.word == "EXISTS" and r.number == 0 for r in reply.data)
        if self.memory is None:
            next_uid = wire.number(reply.code("UIDNEXT") or "")
            self.memory = Memory(validity, next_uid, self._since)
        elif self.memory.validity != validity:
            self._start_anew()
            return None
        return self.memory

    def _is_gone(self, reply: Reply) -> bool:
        """May we go on without this folder? Not if it could well hold a copy."""
        if reply.end.word != "NO" or reply.is_passing_refusal or self.place.role is Role.INBOX:
            return False
        words = reply.end.text.lower()
        if reply.end.code == "NONEXISTENT" or any(word in words for word in _GONE_WORDS):
            return True
        return self.place.role in {Role.OTHER, Role.TRASH, Role.TAB}

    def _start_anew(self) -> None:
        self.memory, self.is_fresh, self._is_surveyed = None, True, False
        self._present, self._whole = set(), set()
        self._tab_asked, self._tab_of = set(), {}

    def _check(self, kind: str, reply: Reply) -> None:
        """Silence is no news: what was not answered may hold the copy."""
        if reply.is_ok or (kind == "new" and self._is_empty):
            return
        if reply.end.word == "NO" and not reply.is_passing_refusal and kind in {"whole", "fields"}:
            return  # some were expunged meanwhile, which some servers call NO
        raise self._manner.complaint(f"folder {self.place.name} cannot be read", reply.end)

    def _absorb_data(self, kind: str, reply: Reply, memory: Memory) -> None:
        if kind == "candidates":
            self._absorb_candidates(_uids(reply), memory)
        elif kind == "present":
            self._absorb_present(set(_uids(reply)), memory)
        elif kind == "new":
            self._keep(reply, memory, at_least=memory.next_uid)
        elif kind == "whole":
            lost = self._whole - self._keep(reply, memory)
            self.lost_any |= bool(lost)
            self._present -= lost
            self._whole = set()
        elif kind == "fields":
            self._keep(reply, memory)
            memory.unread -= self._fields

    def _absorb_candidates(self, uids: list[int], memory: Memory) -> None:
        self._candidates = sorted(uids)
        if memory.next_uid < 1 and uids:
            memory.next_uid = max(uids) + 1
        memory.unread = set(self._candidates[-MAX_KNOWN:])
        self._whole = set(uids if len(uids) <= FEW else [])

    def _absorb_marked(self, reply: Reply, memory: Memory) -> None:
        """A search by header is only a hint: providers differ in which headers they search."""
        marked = sorted(set(_uids(reply)) & set(self._candidates)) if reply.is_ok else []
        if marked:
            self._whole = set(marked[-MAX_WHOLE:])
        memory.unread = (memory.unread | set(marked)) - self._whole

    def _absorb_present(self, uids: set[int], memory: Memory) -> None:
        known = {uid for uid, _ in self._manner.recogniser.ours(memory)} - self._present
        self._present |= known & uids
        for uid in known - uids:
            memory.forget(uid)

    def _absorb_tab(self, tab: str, reply: Reply) -> None:
        if reply.is_passing_refusal:
            raise self._manner.complaint("its tabs cannot be searched", reply.end)
        for uid in _uids(reply):
            self._tab_of.setdefault(uid, tab)

    def _keep(self, reply: Reply, memory: Memory, *, at_least: int = 1) -> set[int]:
        """Remember what was fetched, and return its UIDs.

        "n:*" brings the last message even where it is below n.
        """
        kept: set[int] = set()
        for message in filter(None, map(wire.fetched, reply.data)):
            if message.uid < at_least or not message.section:
                continue
            if message.section == "BODY[HEADER]":
                memory.headers[message.uid] = message.data[: self._manner.max_header_bytes]
            memory.remember(message.uid, message.data, message.received_at)
            kept.add(message.uid)
        self._present |= kept
        return kept


def _rank(known: Recognised) -> int:
    return _STRENGTH.index(known.match)


def _uids(reply: Reply) -> list[int]:
    return [uid for response in reply.data for uid in wire.found_uids(response)]
