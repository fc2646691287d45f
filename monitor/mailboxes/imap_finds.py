"""What one look has found in one folder: which messages are there, and which are ours."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.core.campaigns import Found, Match, Role
from monitor.evidence.recognise import Recognised
from monitor.mailboxes import imap_wire as wire
from monitor.mailboxes.folders import ORDER, Place
from monitor.mailboxes.imap_client import Reply
from monitor.mailboxes.imap_memory import Memory, Recogniser

_STRENGTH = list(Match)


@dataclass(slots=True)
class Finds:
    """Begins with what is remembered of the folder, and learns from the server's replies."""

    place: Place
    recogniser: Recogniser  # of what is wanted in this look
    max_header_bytes: int
    memory: Memory | None
    present: set[int] = field(default_factory=set)  # messages that are there for certain
    tab_of: dict[int, str] = field(default_factory=dict)
    _mine: dict[int, Recognised] | None = None  # until more is learnt

    def ours(self) -> list[tuple[int, Recognised]]:
        """Return the wanted copies that lie here; of duplicates, the surest and oldest."""
        best: dict[str, tuple[int, Recognised]] = {}
        for uid, known in self._recognised().items():
            before = best.setdefault(known.wanted.message_id, (uid, known))
            if before[0] != uid and _rank(known) < _rank(before[1]):
                best[known.wanted.message_id] = (uid, known)
        return list(best.values())

    def remembered(self) -> set[int]:
        """Return the messages that are ours, whether they are still there or not."""
        return {uid for uid, _ in self.recogniser.ours(self.memory)} if self.memory else set()

    def found(self) -> dict[str, Found]:
        """Return the wanted copies that lie here, by Message-ID."""
        memory = self.memory
        if memory is None:
            return {}
        return {
            known.wanted.message_id: self._found(memory, uid, known) for uid, known in self.ours()
        }

    def keep(self, reply: Reply, *, at_least: int = 1) -> set[int]:
        """Remember what was fetched, and return its UIDs.

        "n:*" brings the last message even where it is below n.
        """
        kept: set[int] = set()
        memory = self.memory
        for message in filter(None, map(wire.fetched, reply.data)):
            if memory is None or message.uid < at_least or not message.section:
                continue
            if message.section == "BODY[]":
                memory.remember_body(message.uid, message.data)
            else:
                if message.section == "BODY[HEADER]":
                    memory.headers[message.uid] = message.data[: self.max_header_bytes]
                memory.remember(message.uid, message.data, message.received_at)
            kept.add(message.uid)
        self.present |= kept
        self.learnt()
        return kept

    def remain(self, uids: set[int]) -> None:
        """Learn which of the remembered are still there."""
        known = self.remembered() - self.present
        self.present |= known & uids
        for uid in known - uids:
            if self.memory is not None:
                self.memory.forget(uid)
        self.learnt()

    def learnt(self) -> None:
        """Think again about what is ours."""
        self._mine = None

    def start_anew(self) -> None:
        """Forget all: the folder is another one now."""
        self.memory, self.present, self.tab_of = None, set(), {}
        self.learnt()

    def settle(self, since: datetime) -> None:
        """Forget what nobody will ask for any longer."""
        if self.memory is not None:
            self.memory.prune(since)
            self.memory.keep_headers(u for u, k in self.ours() if not k.wanted.was_found)

    def _recognised(self) -> dict[int, Recognised]:
        if self._mine is None:
            mine = self.recogniser.ours(self.memory) if self.memory else ()
            self._mine = {uid: known for uid, known in mine if uid in self.present}
        return self._mine

    def _found(self, memory: Memory, uid: int, known: Recognised) -> Found:
        tab = self.tab_of.get(uid, "") or self.place.tab
        same = [k for k in self._recognised().values() if _is_same(k, known)]
        return Found(
            message_id=known.wanted.message_id,
            folder=self.place.name,
            role=Role.TAB if tab else self.place.role,
            tab=tab,
            received_at=memory[uid].received_at,
            headers=memory.headers.get(uid, b""),
            match=known.match,
            duplicates=len(same) - 1,
        )


def first_found(finds: Iterable[Finds], *, are_labels: bool) -> dict[str, Found]:
    """Return each copy at the first place where it lies; folders come in order of weight.

    Args:
        are_labels: a message in two folders is one message, as at Gmail, and no duplicate.
    """
    found: dict[str, Found] = {}
    for one in sorted(finds, key=lambda f: ORDER.index(f.place.role)):
        for message_id, copy in one.found().items():
            first = found.get(message_id)
            if first is None:
                found[message_id] = copy
            elif not are_labels and copy.match is first.match:
                further = first.duplicates + copy.duplicates + 1
                found[message_id] = replace(first, duplicates=further)
    return found


def _rank(known: Recognised) -> int:
    return _STRENGTH.index(known.match)


def _is_same(one: Recognised, other: Recognised) -> bool:
    """Are these the same copy, and known as surely?"""
    return one.wanted.message_id == other.wanted.message_id and one.match is other.match
