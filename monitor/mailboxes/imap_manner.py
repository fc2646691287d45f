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
    is_recheck: bool = False  # every wanted copy is remembered: is each still where it was?
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
    def may_count(self) -> bool:
        """May a folder that holds none of the wanted be counted instead of opened?

        Counts can be out of date: Dovecot's are, of mail that was put into a Maildir behind its
        back. So nothing is called missing by them: they are asked for only where each copy is
        remembered, and where it is, the folder is opened. RFC 5819 tells that counting is cheap.
        """
        return self.is_recheck and "LIST-STATUS" in self.capabilities


@dataclass(slots=True)
class Known:
    """What is kept of a folder between looks."""

    memory: Memory
    counts: Counts | None = None  # as they stood when it was last opened
