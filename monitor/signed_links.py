"""Links in mail that let their reader do one thing without signing in.

Whoever holds such a link may do what it is for, and nothing else: each purpose is signed with
a key of its own, which is derived from those in [secrets], and most links expire. What a link
names is signed, not secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from itsdangerous import BadData, URLSafeSerializer

from monitor.core.clock import Clock
from monitor.core.errors import PersonNeededError

_DERIVED_FOR = b"seedwatch signed links 1"
_LONGEST = 1000  # characters of a token; an incident's id has at most a hundred


class Purpose(StrEnum):
    ACKNOWLEDGE = "ack"
    SNOOZE = "snooze"
    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"


VALID_FOR: Mapping[Purpose, timedelta | None] = {
    Purpose.ACKNOWLEDGE: timedelta(days=14),
    Purpose.SNOOZE: timedelta(days=14),
    Purpose.CONFIRM: timedelta(days=7),
    Purpose.UNSUBSCRIBE: None,  # whoever wants no more mail may always say so
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a link is about: the route that it was sent to, and what of it.

    `about` is the incident to acknowledge or to snooze; the address that the route had, for
    the other purposes, so that no link outlives a change of address.
    """

    route_id: int
    about: str


class BadLinkError(PersonNeededError):
    """The link was not made by us for this purpose, or has been cut off on its way."""


class ExpiredLinkError(PersonNeededError):
    """The link was made by us, and its time is over."""


class SignedLinks:
    """Makes and reads links. The first key signs; every key is accepted, for rotation."""

    def __init__(self, keys: Sequence[str], base_url: str, clock: Clock) -> None:
        """Take the keys of [secrets], the newest first, and where the dashboard is reached."""
        self._keys = [_derived(key) for key in reversed(keys)]  # itsdangerous signs with the last
        self._base_url = base_url.rstrip("/")
        self._clock = clock

    def url(self, purpose: Purpose, route_id: int, about: str) -> str:
        """Return the whole address of a page that does *purpose*; see `Subject`."""
        return f"{self._base_url}/l/{purpose}/{self.make(purpose, route_id, about)}"

    def make(self, purpose: Purpose, route_id: int, about: str) -> str:
        """Return a token for *purpose*; made within the same hour, it is the same."""
        valid_for = VALID_FOR[purpose]
        until = None if valid_for is None else _whole_hour(self._clock.now() + valid_for)
        return str(self._signer(purpose).dumps([route_id, about, until]))

    def read(self, purpose: Purpose, token: str) -> Subject:
        """Return what *token* is about.

        Raises:
            BadLinkError: it is not ours, not for this purpose, or not whole.
            ExpiredLinkError: its time is over.
        """
        try:
            told = self._signer(purpose).loads(token) if _may_be_ours(token) else None
        except BadData:
            told = None
        match told:
            case [int(route_id), str(about), int() | None as until]:
                if until is not None and self._clock.now().timestamp() > until:
                    raise _expired(purpose)
                return Subject(route_id, about)
            case _:
                raise BadLinkError(
                    "This link is not complete, or not for this.",
                    remedy="Open it from the message again, or copy all of it.",
                )

    def _signer(self, purpose: Purpose) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._keys,
            salt=f"seedwatch {purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
        )


def _may_be_ours(token: str) -> bool:
    return len(token) <= _LONGEST and token.isascii()


def _derived(key: str) -> bytes:
    """A key for links alone: who learns it can open no secret. RFC 5869."""
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=_DERIVED_FOR)
    return hkdf.derive(key.encode())


def _whole_hour(at: datetime) -> int:
    """Seconds since 1970, up to the next hour: a mail that is written again is the same."""
    return -(-int(at.timestamp()) // 3600) * 3600


def _expired(purpose: Purpose) -> ExpiredLinkError:
    if purpose is Purpose.CONFIRM:
        remedy = "Ask whoever put your address in to send the question again."
    else:
        remedy = "A newer message about this has a newer link."
    return ExpiredLinkError("The time of this link is over.", remedy=remedy)
