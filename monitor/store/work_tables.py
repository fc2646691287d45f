"""Work as rows: what is to be done, when, and who is at it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from monitor.store.columns import json_column, words


class JobState(StrEnum):
    DUE = "due"  # to be done, now or later; perhaps somebody is at it
    DONE = "done"
    DEAD = "dead"  # given up: a person must look


UNDONE = text("state = 'due'")


class JobRow(SQLModel, table=True):
    """One piece of work.

    `attempt` counts the claims and is the fence: whoever holds an older number holds
    nothing. `begun` is the last attempt that really started, so that an attempt that is
    delivered twice starts once. `again_at` is set when the same work is asked for while
    it runs: it may have read its input already, so it runs once more.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index(
            "uq_job_key", "unique_key", unique=True, sqlite_where=UNDONE, postgresql_where=UNDONE
        ),
        Index("ix_job_due", "due_at", "id", sqlite_where=UNDONE, postgresql_where=UNDONE),
        Index("ix_job_lane", "lane", "due_at", sqlite_where=UNDONE, postgresql_where=UNDONE),
        Index("ix_job_lease", "lease_until", sqlite_where=UNDONE, postgresql_where=UNDONE),
        Index("ix_job_state", "state", "done_at"),
        CheckConstraint("begun <= attempt", name="job_begun"),
        CheckConstraint("max_attempts >= 1", name="job_max_attempts"),
    )

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=64)
    args: dict[str, Any] = json_column()
    unique_key: str = Field(max_length=300)
    lane: str = Field(default="", max_length=100)  # what its rate is limited by: a provider
    wanted_at: datetime  # when it was first due; `due_at` moves with every retry
    due_at: datetime
    lease_until: datetime | None = None
    attempt: int = 0
    begun: int = 0
    max_attempts: int = 10
    state: JobState = Field(default=JobState.DUE, sa_type=words(JobState))
    last_error: str = Field(default="", max_length=1000)
    done_at: datetime | None = None  # or given up at
    asked: int = 0  # how often the same work was asked for again while this was undone
    again_at: datetime | None = None
    again_args: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSON(none_as_null=True))
    )


class ScheduleRow(SQLModel, table=True):
    """Work that comes back: at each slot it puts one job."""

    __tablename__ = "schedule"
    __table_args__ = (UniqueConstraint("organisation_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    name: str = Field(max_length=100)
    kind: str = Field(max_length=64)
    spec: str = Field(max_length=64)  # as store/schedules.py reads it
    args: dict[str, Any] = json_column()
    next_at: datetime = Field(index=True)
    enabled: bool = True


class BucketRow(SQLModel, table=True):
    """How fast a lane may go. A lane without a row goes as fast as it can."""

    __tablename__ = "bucket"
    __table_args__ = (
        CheckConstraint("rate_per_s > 0", name="bucket_rate"),
        CheckConstraint("burst >= 1", name="bucket_burst"),
    )

    lane: str = Field(primary_key=True, max_length=100)
    tokens: float
    rate_per_s: float
    burst: float
    refilled_at: datetime
