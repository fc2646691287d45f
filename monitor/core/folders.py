"""What a mailbox's folders are for, and how we know."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from monitor.core.campaigns import Role


@dataclass(frozen=True, slots=True)
class FolderSight:
    """A folder as a reader sees it.

    `why` completes "because": "the server marks it \\\\Junk", "it is the inbox".
    """

    name: str  # for people, decoded
    role: Role | None  # None: it is never looked into
    why: str


@runtime_checkable
class HasFolders(Protocol):
    """A mailbox that can say of its folders what they are for."""

    def layout(self) -> list[FolderSight]:
        """Say of every folder what it is for, and why we think so; [] if it has none to show.

        Raises: as `Mailbox.look`.
        """
        ...
