"""What was judged, told and published, as rows. Facts are added, never changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from monitor.core.incidents import Cause, State
from monitor.core.routes import About, Arrival, Severity
from monitor.store.columns import json_column, json_list, words


class ObservationRow(SQLModel, table=True):
    """What the judge was told, in the order in which it was told.

    Without a test, it was told nothing but the time; or, with a provider, what that admits.
    """

    __tablename__ = "observation"

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, max_length=200)
    test_id: int | None = Field(foreign_key="placement_test.id", index=True)
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
    """The outbox: a message that is owed to a route, once for each topic of its thread.

    The thread is an incident, or what else is told ("digest", "trouble:ID", ...); the topic is
    what is new ("confirmed/provider", "widened/2", "reminder/1", a day). `message_id` is the
    delivery's idempotency key, by mail and by webhook.
    """

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("incident", "topic", "route_id", name="uq_alert_topic"),
        Index("ix_alert_owed", "sent_at", "dead_at", "due_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    about: About = Field(default=About.INCIDENT, sa_type=words(About))
    incident: str = Field(max_length=100)  # the thread
    topic: str = Field(max_length=300)
    state: State | None = Field(default=None, sa_type=words(State))  # these three: of incidents
    cause: Cause | None = Field(default=None, sa_type=words(Cause))
    event_id: int | None = Field(default=None, foreign_key="incident_event.id")
    severity: Severity = Field(default=Severity.WARNING, sa_type=words(Severity))
    body: dict[str, Any] = json_column()  # what was known when it was owed, and is told
    arrival: Arrival = Field(default=Arrival.UNASKED, sa_type=words(Arrival))
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
    source: str = Field(default="", max_length=100)  # the feed; "" if a person entered it
    kinds: list[str] = json_list()  # what it tells of: quarantine, url, zap, delay, ...
    raw: dict[str, Any] = json_column()  # as it was published
