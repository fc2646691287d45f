"""Whom to tell, what they agreed to, and what became of each attempt, as rows."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from monitor.core.placements import Placement
from monitor.core.routes import Audience, Digest, Severity
from monitor.store.columns import json_list, words

OPEN = text("closed_at IS NULL")


class RouteRow(SQLModel, table=True):
    """Where alerts about one sender (or, without one, the whole organisation) go.

    Nothing but the question whether it is wanted goes to a route before `confirmed_at`.
    `secret` is JSON, encrypted (store/secrets.py): of a webhook {"secrets": [newest, ...]},
    of an Apprise route {"url": ...}; `address` is then what may be shown of it.
    """

    __tablename__ = "route"
    __table_args__ = (UniqueConstraint("organisation_id", "sender_id", "kind", "address"),)

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    sender_id: int | None = Field(default=None, foreign_key="sender.id")
    kind: str = Field(default="email", max_length=32)  # email, webhook, apprise
    address: str = Field(max_length=2000)
    secret: bytes = Field(default=b"", repr=False)
    name: str = Field(default="", max_length=200)
    audience: Audience = Field(default=Audience.SENDER, sa_type=words(Audience))
    least: Severity = Field(default=Severity.WARNING, sa_type=words(Severity))
    causes: list[str] = json_list()  # empty: all
    timezone: str = Field(default="UTC", max_length=64)
    quiet_from: str = Field(default="", max_length=5)  # "22:00", in `timezone`; "": never quiet
    quiet_to: str = Field(default="", max_length=5)
    digest: Digest = Field(default=Digest.NONE, sa_type=words(Digest))
    remind_hours: float = 24  # until somebody acknowledges; 0: never
    second_id: int | None = Field(default=None, foreign_key="route.id")  # if this one may fail
    created_at: datetime | None = None
    confirmed_at: datetime | None = None
    confirmed_by: str = Field(default="", max_length=100)  # "link", "operator", "trial"
    suspended_at: datetime | None = None  # it refused for good; a person must look
    suspended_why: str = Field(default="", max_length=500)
    failures: int = 0  # in a row: the circuit breaker
    rests_until: datetime | None = None  # the breaker is open until then
    removed_at: datetime | None = None  # kept for the log; suspended as well


class AttemptRow(SQLModel, table=True):
    """One attempt at one delivery: the delivery log. Rows are added, then ended once."""

    __tablename__ = "alert_attempt"

    id: int | None = Field(default=None, primary_key=True)
    alert_id: int = Field(foreign_key="alert.id", index=True)
    started_at: datetime
    ended_at: datetime | None = None  # None: cut off
    outcome: str = Field(default="", max_length=32)  # delivered, later, refused, in doubt
    said: str = Field(default="", max_length=1000)  # by the other side; or what went wrong


class TwinRow(SQLModel, table=True):
    """A twin of an alert, sent to a seed at the provider that the alert warns of.

    Where it lands tells whether the alert itself can have arrived there.
    """

    __tablename__ = "alert_twin"
    __table_args__ = (UniqueConstraint("alert_id", "seed_id"),)

    id: int | None = Field(default=None, primary_key=True)
    alert_id: int = Field(foreign_key="alert.id")
    seed_id: int = Field(foreign_key="seed.id")
    message_id: str = Field(unique=True, max_length=250)
    due_at: datetime
    started_at: datetime | None = None
    sent_at: datetime | None = None
    looked_at: datetime | None = None
    placement: Placement | None = Field(default=None, sa_type=words(Placement))
    error: str = Field(default="", max_length=1000)


class AcknowledgementRow(SQLModel, table=True):
    """Somebody of an organisation knows of an incident: no reminders, or none until a time."""

    __tablename__ = "acknowledgement"

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id")
    incident: str = Field(max_length=100, index=True)
    at: datetime
    until: datetime | None = None  # snoozed; None: for good
    by: str = Field(default="", max_length=320)  # address of the route, or name of the key


class DomainRow(SQLModel, table=True):
    """A From domain, and whether its organisation has proven in the DNS that it is its own."""

    __tablename__ = "domain"
    __table_args__ = (UniqueConstraint("organisation_id", "domain"),)

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id")
    domain: str = Field(max_length=253)
    token: str = Field(max_length=64)  # what the TXT record must hold
    created_at: datetime
    checked_at: datetime | None = None
    proven_at: datetime | None = None
    missing_since: datetime | None = None  # proven, but the record is not there any more
    withdrawn_at: datetime | None = None  # because it stayed away
    problem: str = Field(default="", max_length=500)


class AudienceRow(SQLModel, table=True):
    """How many recipients of an organisation (or of one sender) each provider has, by MX."""

    __tablename__ = "audience"
    __table_args__ = (UniqueConstraint("organisation_id", "sender_id", "provider"),)

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id")
    sender_id: int | None = Field(default=None, foreign_key="sender.id")
    provider: str = Field(max_length=64)  # "other": none of ours; "unknown": no answer
    recipients: int
    total: int
    measured_at: datetime


class TroubleRow(SQLModel, table=True):
    """Trouble of this installation, for its operator. Never mixed with senders' alerts."""

    __tablename__ = "trouble"
    __table_args__ = (
        Index("uq_trouble_open", "key", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(max_length=200)  # "seed:12", "feed:google", "queue", "disk", ...
    opened_at: datetime
    seen_at: datetime
    closed_at: datetime | None = None
    severity: Severity = Field(default=Severity.WARNING, sa_type=words(Severity))
    sentence: str = Field(max_length=1000)
    remedy: str = Field(default="", max_length=1000)


class ApiKeyRow(SQLModel, table=True):
    """A key of the API: only its digest is kept, and a prefix to tell keys apart."""

    __tablename__ = "api_key"

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id")
    name: str = Field(max_length=200)
    prefix: str = Field(max_length=16)
    digest: str = Field(unique=True, max_length=64)  # SHA-256, hexadecimal
    scopes: list[str] = json_list()
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
