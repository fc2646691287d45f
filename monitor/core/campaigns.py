"""A campaign, the copies of a placement test, and how a copy is known again."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Match(StrEnum):
    """How a message was recognised as our copy, strongest first (DESIGN section 5)."""

    MESSAGE_ID = "message_id"
    HEADER = "header"
    BODY = "body"
    PLUS_ADDRESS = "plus_address"
    BODY_HASH = "body_hash"
    WEAK = "weak"  # From, subject and time only


@dataclass(frozen=True, slots=True)
class Campaign:
    """One message as its sender meant it.

    `html` and `text` are templates of the message body as the sender wrote it; nothing
    is substituted for single recipients, because a copy must be the same for all.
    """

    name: str
    from_address: str
    from_name: str
    subject: str
    text: str
    html: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """One copy, ready to be handed to a mail server."""

    message_id: str  # with angle brackets
    mail_from: str
    recipient: str
    raw: bytes  # RFC 5322, CRLF line ends


class Outcome(StrEnum):
    """What became of handing one copy over."""

    ACCEPTED = "accepted"  # the server took it (2xx after DATA)
    DEFERRED = "deferred"  # 4xx: again later
    REJECTED = "rejected"  # 5xx: final, for this recipient
    UNCERTAIN = "uncertain"  # we died between handing over and writing it down
    FAILED = "failed"  # never reached the server; nothing was transferred


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """A server's answer, RFC 5321 section 4.2; enhanced code as in RFC 3463."""

    code: int
    enhanced: str  # "5.7.1", or "" if the server gave none
    text: str

    def __str__(self) -> str:
        return " ".join(p for p in (str(self.code), self.enhanced, self.text) if p)


@dataclass(frozen=True, slots=True)
class Handover:
    """The outcome of one attempt to hand over one letter."""

    message_id: str
    outcome: Outcome
    reply: SmtpReply | None = None
    problem: str = ""  # why there is no reply
    is_of_server: bool = False  # refused before the recipient was named: others would be too
    their_id: str = ""  # the Message-ID that the service puts on the copy in place of ours
    is_of_service: bool = False  # the word of a sending service, not of a mailbox provider


@dataclass(frozen=True, slots=True)
class Found:
    """A copy that a reader found in a mailbox or in a provider's log."""

    message_id: str
    folder: str  # as the provider names it
    role: "Role"
    tab: str = ""
    received_at: datetime | None = None  # INTERNALDATE or the provider's own time
    headers: bytes = b""  # raw header block, bounded; empty if only a log was read
    match: Match = Match.MESSAGE_ID
    note: str = ""  # what the provider's log says beyond the place
    duplicates: int = 0  # further messages in the mailbox that are the same copy


class Role(StrEnum):
    """What a folder is for, whatever its name."""

    INBOX = "inbox"
    TAB = "tab"
    SPAM = "spam"
    QUARANTINE = "quarantine"
    TRASH = "trash"
    OTHER = "other"  # archive, sent, a folder that some rule files into


@dataclass(frozen=True, slots=True)
class Wanted:
    """A copy that a reader is asked to find, and by what it may be known.

    What the sender's own mail service sends bears marks of that service and perhaps none of
    ours; then `window_end` bounds when it may have come.
    """

    message_id: str
    token: str  # the test's token, same for all copies of a test
    sent_at: datetime
    was_found: bool = False  # an earlier look found it
    other_ids: tuple[str, ...] = ()  # Message-IDs that a mail service may have given it instead
    campaign_mark: str = ""  # the value of the service's own campaign header
    body_mark: str = ""  # of the body's words; see evidence/bodies.py
    from_address: str = ""  # with `subject`: known weakly, by these and the time
    subject: str = ""
    window_end: datetime | None = None  # with a weak mark: what came later is another copy
