"""What a mailbox's folders are for, and how we know."""

from dataclasses import dataclass

from monitor.core.campaigns import Role


@dataclass(frozen=True, slots=True)
class FolderSight:
    """A folder as a reader sees it.

    `why` completes "because": "the server marks it \\\\Junk", "it is the inbox".
    """

    name: str  # for people, decoded
    role: Role | None  # None: it is never looked into
    why: str
