"""The nouns as rows. Facts are added, never changed; the README of each is its docstring.

Table models skip pydantic's checks, so what must hold is a constraint of the database.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Enum, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from monitor.core.campaigns import Match, Outcome
from monitor.core.incidents import Cause, State
from monitor.core.placements import Placement
from monitor.core.ports import LinkState
from monitor.core.seeds import Security


def words(enum: type[StrEnum]) -> Enum:
    """A column type that stores the members' values, so that renaming a member is safe."""
    return Enum(
        enum, native_enum=False, length=32, values_callable=lambda e: [str(m.value) for m in e]
    )


def json_column() -> Any:  # noqa: ANN401 - SQLModel's Field is typed so
    """A JSON column that is never NULL."""
    return Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


def saved(row_id: int | None) -> int:
    """Return the id of a row that has been flushed, which the database has set by then."""
    if row_id is None:
        raise ValueError("this row has not been written yet")
    return row_id


class OrganisationRow(SQLModel, table=True):
    """A tenant. Every row below belongs to one, directly or through its parent."""

    __tablename__ = "organisation"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=200)


class SenderRow(SQLModel, table=True):
    """Who is judged: an organisation's From domain and what it sends through."""

    __tablename__ = "sender"
    __table_args__ = (UniqueConstraint("organisation_id", "from_domain"),)

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    key: str = Field(unique=True, max_length=300)  # the judge's name for it
    name: str = Field(max_length=200)
    from_domain: str = Field(max_length=253)
    mail_from: str = Field(max_length=320)  # envelope sender
    esp: str = Field(default="", max_length=100)
    dkim_domain: str = Field(default="", max_length=253)
    tracking_domain: str = Field(default="", max_length=253)
    ip_prefix: str = Field(default="", max_length=64)


class RouteRow(SQLModel, table=True):
    """Where alerts about one sender (or, without one, the whole organisation) go."""

    __tablename__ = "route"
    __table_args__ = (UniqueConstraint("organisation_id", "sender_id", "kind", "address"),)

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    sender_id: int | None = Field(default=None, foreign_key="sender.id")
    kind: str = Field(default="email", max_length=32)
    address: str = Field(max_length=320)


class SeedRow(SQLModel, table=True):
    """One test mailbox. `secret` is its password, encrypted; see store/secrets.py."""

    __tablename__ = "seed"
    __table_args__ = (
        UniqueConstraint("organisation_id", "address"),
        CheckConstraint("port BETWEEN 0 AND 65535", name="seed_port"),
    )

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    address: str = Field(max_length=320)
    provider: str = Field(max_length=64, index=True)
    region: str = Field(default="", max_length=64)
    reader: str = Field(default="imap", max_length=32)
    username: str = Field(default="", max_length=320)
    secret: bytes = Field(default=b"", repr=False)
    host: str = Field(default="", max_length=253)  # empty: the provider's own
    port: int = 0
    security: Security = Field(default=Security.TLS, sa_type=words(Security))
    tenant: str = Field(default="", max_length=64)


class SeedListRow(SQLModel, table=True):
    """A named set of seeds. Importing it again makes the next version; tests keep theirs."""

    __tablename__ = "seed_list"
    __table_args__ = (UniqueConstraint("organisation_id", "name", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    name: str = Field(max_length=100)
    version: int = 1
    created_at: datetime


class SeedListSeedRow(SQLModel, table=True):
    """A seed's membership in one version of a list."""

    __tablename__ = "seed_list_seed"

    seed_list_id: int = Field(foreign_key="seed_list.id", primary_key=True)
    seed_id: int = Field(foreign_key="seed.id", primary_key=True)


class CampaignRow(SQLModel, table=True):
    """One message as its sender meant it."""

    __tablename__ = "campaign"

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    sender_id: int = Field(foreign_key="sender.id", index=True)
    name: str = Field(max_length=200)
    from_address: str = Field(max_length=320)
    from_name: str = Field(default="", max_length=200)
    subject: str = Field(max_length=998)
    text: str
    html: str = ""
    headers: dict[str, str] = json_column()
    attach_types: str = Field(default="", max_length=200)


class TestRow(SQLModel, table=True):
    """A campaign sent to a seed list at a time."""

    __test__ = False  # not a pytest class, whatever its name
    __tablename__ = "placement_test"
    __table_args__ = (UniqueConstraint("organisation_id", "idempotency_key"),)

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    campaign_id: int = Field(foreign_key="campaign.id", index=True)
    seed_list_id: int = Field(foreign_key="seed_list.id")
    uid: str = Field(unique=True, max_length=32)  # in URLs and the API
    token: str = Field(unique=True, max_length=64)  # in the mail, same for all copies
    idempotency_key: str = Field(max_length=200)
    created_at: datetime
    send_at: datetime = Field(index=True)
    features: dict[str, Any] = json_column()  # {"all": ["url:example.com", ...]}
    meta: dict[str, Any] = json_column()  # the caller's own, echoed


class CopyRow(SQLModel, table=True):
    """The message meant for one seed. Its Message-ID is chosen before anything is sent."""

    __tablename__ = "copy"
    __table_args__ = (
        UniqueConstraint("test_id", "seed_id"),
        Index("ix_copy_test_provider", "test_id", "provider"),
    )

    id: int | None = Field(default=None, primary_key=True)
    test_id: int = Field(foreign_key="placement_test.id")
    seed_id: int = Field(foreign_key="seed.id", index=True)
    provider: str = Field(max_length=64)
    message_id: str = Field(unique=True, max_length=250)


class HandoverRow(SQLModel, table=True):
    """One attempt to hand a copy over. Without an outcome, it was cut off: in doubt."""

    __tablename__ = "handover"
    __table_args__ = (UniqueConstraint("copy_id", "attempt"),)

    id: int | None = Field(default=None, primary_key=True)
    copy_id: int = Field(foreign_key="copy.id")
    attempt: int
    started_at: datetime
    finished_at: datetime | None = None
    outcome: Outcome | None = Field(default=None, sa_type=words(Outcome))
    code: int | None = None
    enhanced: str = Field(default="", max_length=16)
    text: str = Field(default="", max_length=1000)


class SightingRow(SQLModel, table=True):
    """One look at one copy. Rows are added, never changed."""

    __tablename__ = "sighting"
    __table_args__ = (
        UniqueConstraint("copy_id", "looked_at"),  # looking twice is harmless
        Index("ix_sighting_looked_at", "looked_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    copy_id: int = Field(foreign_key="copy.id")
    looked_at: datetime
    placement: Placement = Field(sa_type=words(Placement))
    folder: str = Field(default="", max_length=300)
    tab: str = Field(default="", max_length=64)
    reason: str = Field(default="", max_length=500)
    contaminated: bool = False


class EvidenceRow(SQLModel, table=True):
    """What the headers of one received copy say, as first found."""

    __tablename__ = "evidence"

    copy_id: int = Field(foreign_key="copy.id", primary_key=True)
    recorded_at: datetime
    received_at: datetime | None = None
    match: Match = Field(default=Match.MESSAGE_ID, sa_type=words(Match))
    headers: bytes = b""
    facts: dict[str, Any] = json_column()


class LinkCheckRow(SQLModel, table=True):
    """One link of a received copy, followed once."""

    __tablename__ = "link_check"
    __table_args__ = (UniqueConstraint("test_id", "provider", "checked_at", "url"),)

    id: int | None = Field(default=None, primary_key=True)
    test_id: int = Field(foreign_key="placement_test.id", index=True)
    provider: str = Field(max_length=64)
    url: str = Field(max_length=2000)
    state: LinkState = Field(sa_type=words(LinkState))
    rewritten: bool
    detail: str = Field(default="", max_length=500)
    checked_at: datetime


class ObservationRow(SQLModel, table=True):
    """What the judge was told, in the order in which it was told."""

    __tablename__ = "observation"

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, max_length=200)
    test_id: int = Field(foreign_key="placement_test.id", index=True)
    provider: str = Field(max_length=64)
    look: int
    at: datetime = Field(index=True)
    body: dict[str, Any] = json_column()


class JudgeStateRow(SQLModel, table=True):
    """The judge's snapshot: its state after all observations up to `observation_id`.

    Events of observations up to `judged_id` are written already: replaying what came
    after the snapshot must not write them again.
    """

    __tablename__ = "judge_state"

    scope: str = Field(primary_key=True, max_length=64)
    observation_id: int = 0
    judged_id: int = 0
    saved_at: datetime
    body: dict[str, Any] = json_column()


class IncidentEventRow(SQLModel, table=True):
    """One change in the life of an incident. An incident is the fold of its events."""

    __tablename__ = "incident_event"
    __table_args__ = (UniqueConstraint("incident", "seq"),)

    id: int | None = Field(default=None, primary_key=True)
    incident: str = Field(max_length=100)
    seq: int
    at: datetime = Field(index=True)
    state: State = Field(sa_type=words(State))
    cause: Cause = Field(sa_type=words(Cause))
    provider: str | None = Field(default=None, max_length=64)
    feature: str | None = Field(default=None, max_length=300)
    sender: str | None = Field(default=None, max_length=300)
    sentence: str
    body: dict[str, Any] = json_column()


class AlertRow(SQLModel, table=True):
    """An alert that is owed: one per incident, state and route."""

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("incident", "state", "cause", "route_id"),
        Index("ix_alert_owed", "sent_at", "dead_at", "due_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    incident: str = Field(max_length=100)
    state: State = Field(sa_type=words(State))
    cause: Cause = Field(sa_type=words(Cause))
    event_id: int = Field(foreign_key="incident_event.id")
    route_id: int = Field(foreign_key="route.id")
    message_id: str = Field(unique=True, max_length=250)
    subject: str = Field(default="", max_length=998)
    created_at: datetime
    due_at: datetime
    attempts: int = 0
    started_at: datetime | None = None  # of an attempt whose outcome is not written yet
    error: str = Field(default="", max_length=1000)
    sent_at: datetime | None = None
    dead_at: datetime | None = None


class AdvisoryRow(SQLModel, table=True):
    """One version of what a provider published. Starts are revised later: all are kept."""

    __tablename__ = "advisory"
    __table_args__ = (UniqueConstraint("advisory", "updated_at"),)

    id: int | None = Field(default=None, primary_key=True)
    advisory: str = Field(max_length=64, index=True)
    provider: str = Field(max_length=64)
    title: str = Field(max_length=500)
    text: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    published_at: datetime
    updated_at: datetime
    is_resolved: bool
    url: str = Field(default="", max_length=500)
    seen_at: datetime
