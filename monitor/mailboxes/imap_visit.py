"""One look into one folder: which commands to send next, and what their replies mean.

All folders of a mailbox are asked together, round by round, each round in one write. A
first visit searches by date; a later one fetches what has come since and asks who is
still there, or only whether anything changed. Nothing here waits, and every command only
reads.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from monitor.core.campaigns import Role, Wanted
from monitor.mailboxes import imap_ask as ask
from monitor.mailboxes import imap_wire as wire
from monitor.mailboxes.folders import Place
from monitor.mailboxes.imap_client import Reply
from monitor.mailboxes.imap_finds import Finds
from monitor.mailboxes.imap_manner import Known, Manner
from monitor.mailboxes.imap_memory import MAX_KNOWN, Memory
from monitor.mailboxes.imap_refusals import is_gone
from monitor.mailboxes.imap_wire import Counts

MAX_WHOLE = 64  # headers fetched whole before we know whose they are
FEW = 16  # so few candidates are fetched whole even where searching told nothing
SMALL = 100  # so few others are compared even where nobody misses a copy
MAX_BODY = 64 * 1024  # bytes of a message that are fetched where its wording may tell

# SEARCH goes by the server's own calendar, which may be a day off ours.
_DAY = timedelta(days=1)


class Visit:
    """One look into one folder for *wanted*, with what is known of it."""

    def __init__(
        self, place: Place, known: Known | None, wanted: Sequence[Wanted], manner: Manner
    ) -> None:
        memory = known.memory if known else None
        self.place = place
        self.lost_any = False  # one vanished while we looked: it may have moved
        self.since = min(w.sent_at for w in wanted) - _DAY
        if memory is not None and (memory.next_uid < 1 or self.since < memory.since):
            memory = None
        self.finds = Finds(place, manner.recogniser, manner.max_header_bytes, memory)
        self.is_fresh = memory is None  # does nothing rest on memory?
        self.is_surveyed = False
        self.is_gone = False
        self._counts = known.counts if known and memory else None
        self._is_counted = False
        self._few_came = False
        self._has_read_bodies = False
        self._next_uid = 0  # as told when the folder was opened
        self._has_news = False
        self._wanted = wanted
        self._manner = manner
        self._asked: list[str] = []
        self._is_empty = False
        self._candidates: list[int] = []
        self._whole: set[int] = set()  # to fetch: the headers
        self._likely: set[int] = set()  # the same, where a copy is missed
        self._fields: set[int] = set()  # being fetched: the needed ones
        self._tab_asked: set[int] = set()

    @property
    def _tabs(self) -> tuple[str, ...]:
        return self._manner.tabs if self.place.role is Role.INBOX else ()

    @property
    def known(self) -> Known | None:
        """What to keep for the next look."""
        return Known(self.finds.memory, self._counts) if self.finds.memory else None

    @property
    def sighted(self) -> int:
        """How many of the wanted lie here, as far as we can tell in this round."""
        return len({k.wanted.message_id for _, k in self.finds.ours()}) + len(self._whole)

    def commands(self, *, is_short: bool) -> list[bytes]:
        """Return what to send in this round; nothing once all is known.

        Args:
            is_short: fewer are sighted in all folders together than are wanted, so that
                it is worth comparing messages that searching did not bring up.
        """
        round_ = list(self._details(is_short=is_short) if self.is_surveyed else self._survey())
        self._asked = [kind for kind, _ in round_]
        return [line for _, line in round_]

    def absorb(self, replies: Sequence[Reply]) -> None:
        """Take in the replies to the latest `commands`.

        Raises:
            MailboxBusyError: a refusal, so that nothing can be said about this folder.
        """
        self.finds.learnt()
        if self._asked == ["status"]:
            self._absorb_status(replies[0])
            return
        memory = self._opened(replies[0]) if replies else None
        if memory is None:
            return  # the replies that follow are about no folder
        for asked, reply in zip(self._asked[1:], replies[1:], strict=True):
            kind, _, argument = asked.partition(":")
            if kind == "tab":
                self._absorb_tab(argument, reply)
            elif kind in {"marked", "saved"}:
                self._absorb_hint(kind, reply, memory)
            else:
                self._check(kind, reply)
                self._absorb_data(kind, reply, memory)
        # A re-check asks for news only once it is told that there are any.
        self._has_news = not 0 < self._next_uid <= memory.next_uid
        is_told = "new" in self._asked or not self._manner.is_recheck
        self.is_surveyed = self.is_surveyed or is_told or not self._has_news

    @property
    def is_counting(self) -> bool:
        """Do the latest `commands` leave the folder closed?"""
        return self._asked == ["status"]

    def settle(self) -> None:
        """Forget what nobody will ask for any longer."""
        self.finds.settle(self.since)

    def _survey(self) -> Iterator[tuple[str, bytes]]:
        may_count = self._manner.may_count and self._counts and not self._is_counted
        if may_count and not self.finds.remembered():
            yield "status", ask.status(self.place)
            return
        yield "examine", ask.examine(self.place)
        if self.finds.memory is None:
            yield from self._search()
            return
        if self._has_news or not self._manner.is_recheck:
            yield self._ask_new(self.finds.memory)
        known = self.finds.remembered()
        if known:
            yield "present", ask.still_there(known, how=self._manner.compact)
            yield from self._ask_tabs(known)

    def _ask_new(self, memory: Memory) -> tuple[str, bytes]:
        if self._few_came:
            limit = self._manner.max_header_bytes
            return "new", ask.new_headers(memory.next_uid, max_bytes=limit)
        return "new", ask.new_fields(memory.next_uid)

    def _search(self) -> Iterator[tuple[str, bytes]]:
        """Ask for messages of the right days, and at once for those that are ours by name."""
        compact, limit = self._manner.compact, self._manner.max_header_bytes
        can_save = self._manner.can_save and not ask.is_many(self._wanted)
        yield "candidates", ask.since(self.since, how=compact)
        how = ask.SAVED if can_save else compact
        yield "marked", ask.marked_since(self.since, self._wanted, how=how)
        if can_save:
            yield "saved", ask.saved_headers(max_bytes=limit)

    def _details(self, *, is_short: bool) -> Iterator[tuple[str, bytes]]:
        memory = self.finds.memory
        if memory is None:
            return
        mine = self.finds.ours()
        untold = {uid for uid, known in mine if not known.wanted.was_found}
        likely = self._likely if is_short else set()
        self._whole = (self._whole | untold | likely) - memory.headers.keys()
        tabless = ({uid for uid, _ in mine} | self._whole) - self._tab_asked
        bodies = self._bodies(memory) if is_short and not self._whole else []
        must = self._whole or (is_short and memory.unread) or (self._tabs and tabless) or bodies
        if not must:
            return
        is_cheap = len(memory.unread) <= SMALL  # and may save a round trip next time
        self._fields = memory.unread - self._whole if is_short or is_cheap else set()
        yield "examine", ask.examine(self.place)
        if self._whole:
            limit = self._manner.max_header_bytes
            yield "whole", ask.headers(self._whole, max_bytes=limit)
        if self._fields:
            yield "fields", ask.fields(self._fields)
        if bodies:
            yield "bodies", ask.beginnings(bodies, max_bytes=MAX_BODY)
        yield from self._ask_tabs(tabless)

    def _bodies(self, memory: Memory) -> list[int]:
        """Return the messages that may be copies which only their wording gives away."""
        if not self._manner.recogniser.needs_bodies or memory.unread or self._has_read_bodies:
            return []
        of_days = set(memory.received_since(self.since)) - self.finds.remembered()
        lacking = sorted(memory.lacks_body(of_days))
        chosen = lacking[-self._manner.bodies_left :] if self._manner.bodies_left else []
        self._manner.bodies_left -= len(chosen)
        self._has_read_bodies = True
        return chosen

    def _ask_tabs(self, uids: set[int]) -> Iterator[tuple[str, bytes]]:
        if not self._tabs or not uids:
            return
        self._tab_asked |= uids
        for tab in self._tabs:
            yield f"tab:{tab}", ask.in_tab(uids, tab)

    def _opened(self, reply: Reply) -> Memory | None:
        """Understand the reply to EXAMINE; None if the folder is gone or no longer the same."""
        if not reply.is_ok:
            if not is_gone(reply.end, self.place.role):
                raise self._manner.complaint(f"folder {self.place.name} does not open", reply.end)
            self.finds.memory, self.is_surveyed, self.is_gone = None, True, True
            self._whole, self._likely = set(), set()
            return None
        validity = reply.code("UIDVALIDITY") or ""
        next_uid = self._next_uid = wire.number(reply.code("UIDNEXT") or "")
        exists = next((r.number for r in reply.data if r.word == "EXISTS"), -1)
        self._is_empty = exists == 0
        memory = self.finds.memory
        if memory is None:
            memory = self.finds.memory = Memory(validity, next_uid, self.since)
        elif memory.validity != validity:
            self._start_anew()
            return None
        if not self.is_surveyed:  # what has come since is not asked for: the next look must see it
            is_telling = validity and next_uid and exists >= 0
            self._counts = Counts(validity, next_uid, exists) if is_telling else None
        return memory

    def _absorb_status(self, reply: Reply) -> None:
        """Open the folder next, unless it is told to hold what it held.

        The same number of messages, and none came: so none went either.
        """
        self._is_counted = True
        told = dict(map(wire.counts, reply.data))
        now, before = told.get(self.place.raw), self._counts
        if not reply.is_ok or now is None or before is None:
            return
        self.is_surveyed = now == before
        if not self.is_surveyed:
            self._few_came = now.next_uid - before.next_uid <= FEW
            self._has_news = True

    def _start_anew(self) -> None:
        self.finds.start_anew()
        self.is_fresh, self.is_surveyed, self._counts = True, False, None
        self._whole, self._likely, self._tab_asked = set(), set(), set()

    def _check(self, kind: str, reply: Reply) -> None:
        """Silence is no news: what was not answered may hold the copy."""
        if reply.is_ok or (kind == "new" and self._is_empty):
            return
        may_be_gone = reply.end.word == "NO" and not reply.is_passing_refusal
        if may_be_gone and kind in {"whole", "fields", "bodies"}:
            return  # some were expunged meanwhile, which some servers call NO
        raise self._manner.complaint(f"folder {self.place.name} cannot be read", reply.end)

    def _absorb_data(self, kind: str, reply: Reply, memory: Memory) -> None:
        if kind == "candidates":
            self._absorb_candidates(_uids(reply), memory)
        elif kind == "present":
            self.finds.remain(set(_uids(reply)))
        elif kind == "new":
            self.finds.keep(reply, at_least=memory.next_uid)
            memory.next_uid = max(memory.next_uid, self._next_uid)
        elif kind == "whole":
            lost = self._whole - self.finds.keep(reply)
            self.lost_any |= bool(lost)
            self.finds.present -= lost
            memory.unread -= self._whole
            self._whole, self._likely = set(), set()
        elif kind == "fields":
            self.finds.keep(reply)
            memory.unread -= self._fields
        else:
            self.finds.keep(reply)

    def _absorb_candidates(self, uids: list[int], memory: Memory) -> None:
        self._candidates = sorted(uids)
        if memory.next_uid < 1 and uids:
            memory.next_uid = max(uids) + 1
        memory.unread = set(self._candidates[-MAX_KNOWN:])
        self._likely = set(uids if len(uids) <= FEW else [])

    def _absorb_hint(self, kind: str, reply: Reply, memory: Memory) -> None:
        """A search by header is only a hint: providers differ in which headers they search."""
        if kind == "saved":
            kept = self.finds.keep(reply)
            self._whole -= kept
            memory.unread -= kept
            return
        marked = sorted(set(_uids(reply)) & set(self._candidates)) if reply.is_ok else []
        if marked:
            self._whole = set(marked[-MAX_WHOLE:])
            self._likely = set()
        memory.unread = (memory.unread | set(marked)) - self._whole

    def _absorb_tab(self, tab: str, reply: Reply) -> None:
        if reply.is_passing_refusal:
            raise self._manner.complaint("its tabs cannot be searched", reply.end)
        for uid in _uids(reply):
            self.finds.tab_of.setdefault(uid, tab)


def _uids(reply: Reply) -> list[int]:
    return [uid for response in reply.data for uid in wire.found_uids(response)]
