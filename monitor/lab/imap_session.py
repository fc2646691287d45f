"""The state of one IMAP session, without its socket."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from monitor.lab.imap_parse import BadCommandError, NumberSet, RefusedError
from monitor.lab.mailboxes import Entry, Folder, LabMailbox
from monitor.lab.providers import Profile
from monitor.lab.world import World


class DroppedError(Exception):
    """The server hangs up without a word."""


@dataclass(slots=True)
class Selected:
    """The open folder as this client has been told of it."""

    folder: Folder
    read_only: bool
    view: list[Entry] = field(default_factory=list)
    version: int = -1
    uidvalidity: int = 0

    def __post_init__(self) -> None:
        self.view = list(self.folder.entries)
        self.version = self.folder.version
        self.uidvalidity = self.folder.uidvalidity

    @property
    def last_uid(self) -> int:
        return self.view[-1].uid if self.view else 0

    def pick(self, text: bytes, *, by_uid: bool) -> Iterator[tuple[int, Entry]]:
        """Yield sequence number and entry of each message in a number set."""
        numbers = NumberSet(text, self.last_uid if by_uid else len(self.view))
        for low, high in numbers.ranges:
            if by_uid:
                first = bisect_left(self.view, low, key=lambda e: e.uid)
                stop = bisect_right(self.view, high, key=lambda e: e.uid)
            else:
                first, stop = max(0, low - 1), min(high, len(self.view))
            for at in range(first, stop):
                yield at + 1, self.view[at]


class Session:
    """What one connection knows, and the reply that it is writing. Used under `World.lock`."""

    def __init__(self, world: World, profile: Profile) -> None:
        self.world = world
        self.profile = profile
        self.mailbox: LabMailbox | None = None
        self.selected: Selected | None = None
        self.is_over = False
        self._out: list[bytes] = []

    def put(self, *parts: bytes) -> None:
        """Add one line to the reply."""
        self._out.extend(parts)
        self._out.append(b"\r\n")

    def take(self) -> bytes:
        """Hand out the reply: one piece, so that it leaves in one write."""
        reply = b"".join(self._out)
        self._out.clear()
        return reply

    @property
    def capabilities(self) -> str:
        return self.profile.before_login if self.mailbox is None else self.profile.capabilities

    def offers(self, capability: str) -> bool:
        return capability in self.capabilities.split()

    def owner(self) -> LabMailbox:
        if self.mailbox is None:
            raise BadCommandError("not signed in")
        return self.mailbox

    def open_folder(self) -> Selected:
        if self.selected is None:
            raise BadCommandError("no mailbox selected")
        return self.selected

    def writable_folder(self) -> Selected:
        selected = self.open_folder()
        if selected.read_only:
            raise RefusedError("[READ-ONLY] mailbox is read-only")
        return selected

    def identify(self, address: str, password: str) -> LabMailbox:
        """Find whose mailbox it is; refuses without saying what was wrong."""
        mailbox = self.world.mailboxes.get(address.lower())
        served = self.world.profile_of(address) is self.profile
        if mailbox is None or not served or mailbox.password != password:
            raise RefusedError("[AUTHENTICATIONFAILED] Invalid credentials")
        return mailbox

    def enter(self, mailbox: LabMailbox) -> None:
        self.mailbox = mailbox
        mailbox.sessions += 1

    def end(self) -> None:
        """Give back what the session held. Once is enough, more is harmless."""
        if self.mailbox is not None:
            self.mailbox.sessions -= 1
        self.mailbox = None
        self.selected = None

    def sync(self) -> None:
        """Tell what changed in the open folder since the client was last told."""
        selected = self.selected
        if selected is None or selected.folder.version == selected.version:
            return
        if selected.folder.uidvalidity != selected.uidvalidity:
            raise DroppedError  # what the client holds means nothing any more
        alive = {id(e) for e in selected.folder.entries}
        for at in range(len(selected.view) - 1, -1, -1):
            if id(selected.view[at]) not in alive:
                self.put(b"* %d EXPUNGE" % (at + 1))
        kept = sum(id(e) in alive for e in selected.view)
        selected.view = list(selected.folder.entries)
        selected.version = selected.folder.version
        if len(selected.view) != kept:
            self.put(b"* %d EXISTS" % len(selected.view))
