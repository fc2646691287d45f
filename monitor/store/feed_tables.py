"""What providers publish of themselves, and what we publish of their filters, as rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from monitor.store.columns import json_column


class FeedRow(SQLModel, table=True):
    """How asking one status feed has gone, and what makes the next request conditional."""

    __tablename__ = "feed"

    name: str = Field(primary_key=True, max_length=100)
    etag: str = Field(default="", max_length=500)
    last_modified: str = Field(default="", max_length=100)
    asked_at: datetime | None = None
    answered_at: datetime | None = None  # when it last told what it knows, be it "unchanged"
    failures: int = 0  # in a row
    not_before: datetime | None = None  # back-off, or what the server asked for
    problem: str = Field(default="", max_length=500)


class MatchRow(SQLModel, table=True):
    """An advisory and an incident that tell of the same trouble."""

    __tablename__ = "advisory_match"
    __table_args__ = (UniqueConstraint("advisory", "incident"),)

    id: int | None = Field(default=None, primary_key=True)
    advisory: str = Field(max_length=64, index=True)
    incident: str = Field(max_length=100, index=True)
    score: float  # 0 to 1
    lead_s: float  # seconds from our alarm to its publication; below 0: theirs was first
    matched_at: datetime
    body: dict[str, Any] = json_column()  # what spoke for it


class FilterStateRow(SQLModel, table=True):
    """A provider's filter, as we publish it: a row whenever it changes, at least daily."""

    __tablename__ = "filter_state"
    __table_args__ = (UniqueConstraint("provider", "at"),)

    id: int | None = Field(default=None, primary_key=True)
    provider: str = Field(max_length=64)
    at: datetime = Field(index=True)
    state: str = Field(max_length=32)  # normal, degraded, wrong, unknown
    senders: int  # that speak; a cell of fewer than five says nothing but "unknown"
    n: int = 0
    n_eff: float = 0
    lost: float | None = None  # share of copies that did not reach the inbox; None: no data
    low: float | None = None
    high: float | None = None
    sentence: str = Field(default="", max_length=500)
