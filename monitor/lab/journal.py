"""A tenant's mail log: what message trace and hunting tell about each message and recipient."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Move:
    """What was done to a message after delivery, as EmailPostDeliveryEvents tells it."""

    at: datetime
    action: str  # Action
    type: str  # ActionType: "Phish ZAP", "Manual remediation"
    trigger: str  # ActionTrigger: "ZAP", "AdminAction"
    location: str  # DeliveryLocation


@dataclass(slots=True)
class Record:
    """One message for one recipient. `latest_*` change when it is moved after delivery."""

    number: int
    message_id: str
    sender: str
    recipient: str
    subject: str
    size: int
    peer: str
    received_at: datetime
    status: str  # messageTraces' word: delivered, quarantined, filteredAsSpam, failed, pending
    action: str  # EmailEvents' DeliveryAction
    location: str  # EmailEvents' DeliveryLocation
    threat: str = ""  # EmailEvents' ThreatTypes
    latest_action: str = ""
    latest_location: str = ""
    moves: list[Move] = field(default_factory=list)

    def move(self, move: Move, *, action: str) -> None:
        """Write down *move*; *action* is EmailEvents' LatestDeliveryAction after it."""
        self.latest_action = action
        self.latest_location = move.location
        self.moves.append(move)


class Journal:
    """Records in the order of receipt, also by Message-ID."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._by_id: defaultdict[str, list[Record]] = defaultdict(list)

    def add(self, record: Record) -> None:
        self._records.append(record)
        self._by_id[record.message_id].append(record)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def of(self, message_id: str) -> list[Record]:
        return list(self._by_id.get(message_id, ()))
