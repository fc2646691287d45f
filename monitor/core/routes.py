"""Routes: who is told, what about, and how urgent it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from monitor.core.incidents import IncidentEvent


class Audience(StrEnum):
    """For whom an alert is written. Operators hear of this installation, the others of mail."""

    SENDER = "sender"
    MARKETER = "marketer"  # the same without jargon
    ESP = "esp"  # for machines: with hold advice
    OPERATOR = "operator"


class About(StrEnum):
    """What a message to a route is about."""

    INCIDENT = "incident"
    DIGEST = "digest"
    OPERATOR = "operator"  # trouble of this installation
    CONFIRM = "confirm"  # asks whether the recipient wants to be told at all
    TRIAL = "trial"  # a person wants to see that the route works


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the least; what orders by name would order by the alphabet."""
        return list(Severity).index(self)


class Arrival(StrEnum):
    """Whether an alert was seen to arrive at the provider that it warns of."""

    UNASKED = "unasked"  # its recipient is elsewhere, or we have no seed there
    AWAITED = "awaited"
    SEEN = "seen"
    UNCONFIRMED = "unconfirmed"  # its twin at our seeds was filtered or never came


class Digest(StrEnum):
    NONE = "none"
    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Owed:
    """A message that is owed to a route: all that whoever writes it is given.

    `body` holds what was known when it was owed; docs/warn.md says what it has.
    """

    alert_id: int
    about: About
    thread: str  # the incident, or what else is told
    topic: str
    severity: Severity
    to: str  # an address
    route_id: int
    organisation_id: int
    audience: Audience = Audience.SENDER
    timezone: str = "UTC"
    body: Mapping[str, object] = field(default_factory=dict)
    event: IncidentEvent | None = None  # of an incident
