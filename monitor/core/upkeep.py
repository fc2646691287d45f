"""What can be wrong with an installation, and when a disk is too full. Pure."""

from dataclasses import dataclass
from typing import Final

from monitor.core.routes import Severity

LEAST_SHARE: Final = 0.05  # free, of a disk
LEAST_FREE: Final = 10**9  # bytes
NEARLY_NONE: Final = 10**8  # bytes


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that its operator should mend. `key` says what it is about."""

    key: str  # "queue", "feed:google", "disk:database"
    sentence: str
    remedy: str
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, slots=True)
class Room:
    """How much of a disk is free, in bytes."""

    free: int
    total: int

    @property
    def is_low(self) -> bool:
        return self.free < max(LEAST_FREE, LEAST_SHARE * self.total)


def disk_trouble(name: str, room: Room) -> Trouble | None:
    """Say that the disk of *name* ("database") is nearly full, if it is."""
    if not room.is_low:
        return None
    share = room.free / room.total if room.total else 0.0
    return Trouble(
        f"disk:{name}",
        f"Only {room.free / 1e9:.1f} GB ({share:.0%}) are free on the disk of the {name}.",
        "Make room: a full disk stops everything. Shorter [retention] makes the database grow"
        " less.",
        Severity.CRITICAL if room.free < NEARLY_NONE else Severity.WARNING,
    )
