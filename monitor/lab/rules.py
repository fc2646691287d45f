"""A rule of a scenario: when, for whom, what; and the hash that stands in for chance."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

NO_SPAN = timedelta(0)


class Action(StrEnum):
    SPAM = "spam"
    QUARANTINE = "quarantine"
    DROP = "drop"
    TRUST = "trust"
    TAB = "tab"
    DELAY = "delay"
    ZAP = "zap"
    RESTORE = "restore"
    DUPLICATE = "duplicate"
    AUTH_FAIL = "auth_fail"
    REWRITE_LINKS = "rewrite_links"
    BLOCK_LINK = "block_link"
    DEFER = "defer"
    REJECT = "reject"
    GREYLIST = "greylist"
    RCPT_REJECT = "rcpt_reject"
    FULL = "full"
    SMTP_REFUSE = "smtp_refuse"
    IMAP_OUTAGE = "imap_outage"
    IMAP_SLOW = "imap_slow"
    IMAP_BUSY = "imap_busy"
    IMAP_LOCK = "imap_lock"
    IMAP_LIMIT = "imap_limit"
    IMAP_REVALIDATE = "imap_revalidate"
    API_BUSY = "api_busy"
    API_LATE = "api_late"
    ADVISORY = "advisory"


class Draw(StrEnum):
    """What is drawn when only a fraction is hit."""

    COPY = "copy"
    TEST = "test"  # all copies of a test alike
    SENDER = "sender"  # all mail of a From domain alike


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule is held against: a message on its way, or just a mailbox."""

    recipient: str = ""
    sender_domains: frozenset[str] = frozenset()
    link_hosts: frozenset[str] = frozenset()
    message_id: str = ""
    test: str = ""
    from_domain: str = ""

    def key(self, draw: Draw) -> str:
        """What is hashed for this draw; falls back to what there is."""
        if draw is Draw.TEST and self.test:
            return self.test
        if draw is Draw.SENDER and self.from_domain:
            return self.from_domain
        return f"{self.message_id} {self.recipient}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One scripted behaviour. Spans count from the start of the lab; docs/lab.md has the keys."""

    name: str  # unique in its scenario: chance hashes it
    action: Action
    providers: frozenset[str] = frozenset()  # empty: all
    starts: timedelta = NO_SPAN
    until: timedelta | None = None
    url_domain: str = ""
    sender_domain: str = ""
    recipient: str = ""
    fraction: float = 1.0
    draw: Draw = Draw.COPY
    delay: timedelta | None = None
    at: timedelta | None = None
    spread: timedelta = NO_SPAN
    wait: timedelta = NO_SPAN  # wall clock
    text: str = ""
    tab: str = ""
    unread_only: bool = False
    connections: int = 1
    id: str = ""
    title: str = ""
    published_after: timedelta = NO_SPAN
    resolved_after: timedelta | None = None

    def holds(self, provider: str, elapsed: timedelta) -> bool:
        """Is this rule in force at *provider* when the lab is *elapsed* old?"""
        if self.providers and provider not in self.providers:
            return False
        return self.starts <= elapsed and (self.until is None or elapsed < self.until)

    def matches(self, subject: Subject, seed: int) -> bool:
        """Does this rule concern *subject*, chance included?"""
        if self.recipient and not fnmatchcase(subject.recipient, self.recipient):
            return False
        if self.sender_domain and not is_below(subject.sender_domains, self.sender_domain):
            return False
        if self.url_domain and not is_below(subject.link_hosts, self.url_domain):
            return False
        return self.fraction >= 1 or self._lot(subject, seed) < self.fraction

    def moment(self, subject: Subject, seed: int, now: timedelta) -> timedelta:
        """When a planned effect (delay, zap, restore) is due, as a span since the start."""
        base = self.at if self.at is not None else now + (self.delay or NO_SPAN)
        return max(now, base + self.spread * self._lot(subject, seed, "spread"))

    def _lot(self, subject: Subject, seed: int, purpose: str = "") -> float:
        return lot(seed, self.name, purpose, subject.key(self.draw))


def lot(seed: int, *parts: str) -> float:
    """Return a number in [0, 1) that depends on its arguments and nothing else."""
    text = "\x1f".join((str(seed), *parts)).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64


def is_below(hosts: Iterable[str], domain: str) -> bool:
    """Is one of *hosts* the domain or a name below it?"""
    return any(h == domain or h.endswith("." + domain) for h in hosts)
