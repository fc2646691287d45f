"""The nouns as rows. Facts are added, never changed; the README of each is its docstring.

Table models skip pydantic's checks, so what must hold is a constraint of the database.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from monitor.core.campaigns import Match, Outcome
from monitor.core.placements import Placement
from monitor.core.ports import LinkState
from monitor.core.seeds import Security
from monitor.store.columns import json_column, words


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
    oauth: str = Field(default="", max_length=64)  # then `secret` is a refresh token
    drop: str = Field(default="", max_length=64)


class SeedHealthRow(SQLModel, table=True):
    """How reading a seed mailbox has gone of late; one row a seed, changed with every look."""

    __tablename__ = "seed_health"

    seed_id: int = Field(foreign_key="seed.id", primary_key=True)
    tried_at: datetime
    read_at: datetime | None = None  # when it could be read last
    failures: int = 0  # in a row
    failing_since: datetime | None = None
    recovered_at: datetime | None = None  # when the last row of failures ended
    latency_s: float | None = None  # of the last look that went well
    problem: str = Field(default="", max_length=500)
    remedy: str = Field(default="", max_length=500)


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
    transport: str = Field(default="", max_length=64)  # [transports.NAME]; "" is [sending]
    spread_s: float = 0  # the copies go out over so long, not all at once
    # "yours": the sender's own mail service sends, and these say how its copies are known.
    expected_until: datetime | None = None
    campaign_mark: str = Field(default="", max_length=200)
    body_mark: str = Field(default="", max_length=200)
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
    send_after: datetime | None = None  # where a test's copies are spread over time


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
    their_id: str = Field(default="", max_length=250)  # the service's Message-ID, not ours


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
    duplicates: int = 0  # further messages in the mailbox that were the same copy
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


class InboundRow(SQLModel, table=True):
    """A message that a system behind a seed has reported to us by web hook."""

    __tablename__ = "inbound"
    __table_args__ = (UniqueConstraint("address", "digest"),)  # reported twice is one

    id: int | None = Field(default=None, primary_key=True)
    address: str = Field(max_length=320, index=True)
    digest: str = Field(max_length=64)  # SHA-256 of `raw`
    received_at: datetime
    folder: str = Field(default="", max_length=300)  # as the reporting system names the place
    raw: bytes = b""  # its beginning, bounded
