"""What the line needs from the world outside; each edge is one kind of one of these."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from monitor.core.campaigns import Found, Handover, Letter, Wanted
from monitor.core.errors import MailboxBusyError
from monitor.core.routes import Severity


class Transport(Protocol):
    """Hands letters to mail servers. (The room is `senders/`; a *sender* is who is judged.)"""

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        """Hand over *letters* in order, yielding each outcome as soon as it is known.

        The caller writes an outcome down before it asks for the next one, so that a
        crash leaves at most one letter in doubt. Trouble with the server as a whole is
        a FAILED or DEFERRED handover for every letter that it concerns, not an error.

        Raises:
            TransportRefusedError: the server refuses us altogether; a person must act.
        """
        ...


@runtime_checkable
class WindowedTransport(Transport, Protocol):
    """A transport that can have several letters on their way at once."""

    window: int  # how many letters at most

    def send_many(self, letters: Sequence[Letter], *, window: int) -> Iterator[Handover]:
        """As `send`, but letters go *window* by *window*, those of one window together.

        With the first outcome of a window, all its letters are begun; with its last outcome,
        none of the next. So a caller who writes down that a whole window begins before it
        asks for the first outcome, and all outcomes before it goes on, has at most *window*
        letters in doubt after a crash.

        Args:
            window: from 1 to `self.window`.
        Raises:
            TransportRefusedError: as `send`; with the first outcome of a window, before any
                letter of it was begun.
        """
        ...


class PartlyReadError(MailboxBusyError):
    """One part of a mailbox was read and another could not be.

    The copies in `partial` are where it says; where any other is, nobody can say now.
    """

    def __init__(
        self,
        what: str,
        *,
        partial: Sequence[Found],
        remedy: str = "",
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(what, remedy=remedy, retry_after=retry_after)
        self.partial = tuple(partial)


class Mailbox(Protocol):
    """A seed mailbox that we may read but never change.

    Reading leaves no trace: no flag set, nothing moved, nothing loaded, because
    engagement would train the very filter we measure.
    """

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        """Say where each of *wanted* is now; one that is nowhere is left out.

        Raises:
            MailboxLockedError: sign-in refused, or a wrong certificate.
            PartlyReadError: only those of its `partial` are known; of the others nothing.
            MailboxBusyError: try again later.
        """
        ...

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        """Return the first *limit* bytes of a copy found earlier, or None if it is gone.

        Raises: as `look`, but for PartlyReadError.
        """
        ...

    def close(self) -> None:
        """End the connection, if one is open. Never raises."""
        ...


class TokenSource(Protocol):
    """Access tokens for one account (OAuth 2.0, RFC 6749)."""

    def token(self) -> str:
        """Return an access token that should be good now.

        Raises:
            MailboxLockedError: the grant was withdrawn; a person must give it again.
            MailboxBusyError: none can be had now.
        """
        ...

    def reject(self, token: str) -> None:
        """Learn that a server refused *token*, so that the next one is fresh."""
        ...


class LinkState(StrEnum):
    OK = "ok"
    WARNED = "warned"  # a page stands between the reader and the target
    BLOCKED = "blocked"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class LinkVerdict:
    """What became of one link of a received copy."""

    url: str  # as it stands in the received copy
    state: LinkState
    rewritten: bool  # by the provider
    detail: str = ""


class LinkChecker(Protocol):
    """Follows one link as a reader's click would, bounded in size, time and redirects."""

    def check(self, url: str, *, link_hosts: Sequence[str]) -> LinkVerdict:
        """Follow *url*; `link_hosts` are the provider's own rewriting hosts. Never raises."""
        ...


class Resolver(Protocol):
    """Asks the DNS."""

    def mx(self, domain: str) -> list[str]:
        """Return the MX host names of *domain*, best first, lower case; [] if none.

        Raises:
            AgainLaterError: no answer in time.
        """
        ...

    def txt(self, domain: str) -> list[str]:
        """Return the TXT records of *domain*, each as one string; [] if none.

        Raises:
            AgainLaterError: no answer in time.
        """
        ...


@dataclass(frozen=True, slots=True)
class Advisory:
    """What a provider published about itself, one version of it."""

    id: str  # MO255463
    provider: str
    title: str
    text: str
    started_at: datetime | None
    ended_at: datetime | None
    published_at: datetime | None  # of its first version; None: the provider does not tell
    updated_at: datetime | None  # of this version; None: the same
    is_resolved: bool
    url: str = ""
    kinds: tuple[str, ...] = ()  # what it tells of: quarantine, url, zap, delay, ...
    raw: Mapping[str, object] = field(repr=False, default_factory=dict)  # as published


@dataclass(frozen=True, slots=True)
class Validators:
    """What makes a request conditional (RFC 9110 section 13), as the last answer gave it."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """What a feed tells: advisories, or that nothing has changed since the last answer."""

    advisories: tuple[Advisory, ...] = ()
    validators: Validators = Validators()
    is_unchanged: bool = False


class StatusFeed(Protocol):
    """A provider's own account of its health."""

    @property
    def name(self) -> str:
        """A name of its own: what is known of the feed is kept under it."""
        ...

    def ask(self, known: Validators) -> Published:
        """Return what the provider publishes now, if it is other than what is *known*.

        Raises:
            AgainLaterError: no answer, or an answer that affirms nothing.
            PersonNeededError: access refused, or the page has gone elsewhere.
        """
        ...


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that stands inside a mail as `cid:name`."""

    name: str
    png: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """What is told, in every form that a route may need."""

    subject: str
    text: str
    html: str = ""
    short: str = ""  # two or three lines, for chats
    payload: Mapping[str, object] = field(default_factory=dict)  # for machines, as JSON
    event: str = "incident"  # what webhooks call it: "incident.confirmed", "digest", ...
    severity: Severity = Severity.WARNING
    images: tuple[Image, ...] = ()
    unsubscribe_url: str = ""  # one click ends it (RFC 8058): digests
    files: Mapping[str, str] = field(default_factory=dict)  # name to text, attached


@dataclass(frozen=True, slots=True)
class Alert:
    """One message to one route."""

    id: str  # stable: the delivery's idempotency key
    to: str  # an address; a URL, for a webhook
    message: Message
    message_id: str  # stable as well, so that a repeat can be recognised
    in_reply_to: str = ""  # the incident's first alert, so that mail clients group them
    owed_at: datetime | None = None  # the same at every attempt
    secrets: tuple[str, ...] = field(repr=False, default=())  # signing keys, or a secret URL


class Alerter(Protocol):
    """One kind of route."""

    is_repeatable: bool  # does its receiver know a delivery by its id, so that twice is once?

    def tell(self, alert: Alert) -> str:
        """Deliver *alert*; return what the other side said, one line for the log.

        Raises:
            AgainLaterError: the channel may work later.
            InDoubtError: nobody knows whether it was delivered; do not repeat it.
            PersonNeededError: this recipient is refused for good.
        """
        ...
