"""How the folders of one mailbox are read, and what is kept of them between looks."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.core.errors import MailboxBusyError
from monitor.mailboxes import imap_ask as ask
from monitor.mailboxes.imap_memory import Memory, Recogniser
from monitor.mailboxes.imap_wire import Counts, Response

MAX_BODIES = 50  # messages whose beginnings are fetched in one look


@dataclass(slots=True)
class Manner:
    """How the folders of one mailbox are read in one look."""

    max_header_bytes: int
    recogniser: Recogniser  # of what is wanted in this look
    complaint: Callable[[str, Response], MailboxBusyError]
    tabs: tuple[str, ...] = ()  # categories that the server can tell of the inbox's messages
    capabilities: frozenset[str] = frozenset()
    bodies_left: int = MAX_BODIES

    def learn(self, capabilities: frozenset[str], tabs: tuple[str, ...]) -> None:
        """Learn what the server can; Gmail's own extension tells *tabs*."""
        self.capabilities = capabilities
        self.tabs = tabs if "X-GM-EXT-1" in capabilities else ()

    @property
    def compact(self) -> bytes:
        return ask.COMPACT if "ESEARCH" in self.capabilities else b""

    @property
    def can_save(self) -> bool:
        return "SEARCHRES" in self.capabilities

    @property
    def can_count(self) -> bool:
        """Does the server say that it counts folders cheaply enough to be polled (RFC 5819)?"""
        return "LIST-STATUS" in self.capabilities


@dataclass(slots=True)
class Known:
    """What is kept of a folder between looks."""

    memory: Memory
    counts: Counts | None = None  # as they stood when it was last opened
