"""Asks a mail service over HTTP, in the words of this room: a mailbox is busy or locked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

from monitor.bounded_http import (
    Answer,
    Ask,
    Json,
    Service,
    Talk,
    error_code,
    json_object,
    refusal,
    retry_after,
)
from monitor.core.errors import (
    AgainLaterError,
    MailboxBusyError,
    MailboxLockedError,
    PersonNeededError,
)
from monitor.core.ports import TokenSource
from monitor.mailboxes.budget import Share
from monitor.tenant import RefusedError

Row: TypeAlias = dict[str, Json]

# Worth another try, though most of them say that we did something wrong.
LOOK_TIMEOUTS = 6
MAX_NAME = 200  # characters of a folder's name
REDIRECTS = frozenset({301, 302, 303, 307, 308})
BUSY = frozenset({408, 409, 423, 425, 429})


class GraphRefusedError(MailboxLockedError):
    """This tenant does not answer this question: no permission, no licence, no such table."""


@contextmanager
def of_a_mailbox() -> Iterator[None]:
    """Turn the errors of sign-ins and services into those of mailboxes."""
    try:
        yield
    except (MailboxLockedError, MailboxBusyError):
        raise
    except RefusedError as error:
        raise GraphRefusedError(error.what, remedy=error.remedy) from error
    except PersonNeededError as error:
        raise MailboxLockedError(error.what, remedy=error.remedy) from error
    except AgainLaterError as error:
        raise MailboxBusyError(
            error.what, remedy=error.remedy, retry_after=error.retry_after
        ) from error


@dataclass(frozen=True, slots=True)
class MailService:
    """A mail service, and whose tokens let us in.

    Args:
        remedy: what a person is to do about a refusal.
        is_busy: does this answer mean "later", though its status says "no"?
        share: remembers how long the service wants to be left alone; None: nobody does.
        monotonic_s: a clock that only runs forward, in seconds.
    """

    service: Service
    tokens: TokenSource
    remedy: str
    is_busy: Callable[[Answer], bool] = lambda _: False
    share: Share | None = None
    monotonic_s: Callable[[], float] = monotonic

    @contextmanager
    def talk(self) -> Iterator["MailTalk"]:
        """Keep connections open between requests until the block ends.

        Raises:
            MailboxLockedError, MailboxBusyError: whatever goes wrong within the block, which
                may not take longer than LOOK_TIMEOUTS times the time of one answer.
        """
        entered = self.share.enter() if self.share else nullcontext()
        with of_a_mailbox(), entered, self.service.talk() as talk:
            yield MailTalk(self, talk)

    def leave(self, span: timedelta | None) -> None:
        """Ask nothing more for so long, as the service says."""
        if self.share is not None and span:
            self.share.leave(span)


class MailTalk:
    """Requests to one mail service, one after the other."""

    def __init__(self, mail: MailService, talk: Talk) -> None:
        self._mail = mail
        self._talk = talk
        self._ends_s = mail.monotonic_s() + LOOK_TIMEOUTS * mail.service.timeout_s

    def object(self, ask: Ask, *, hops: int = 0) -> Row:
        """Return the JSON object that answers *ask*.

        Args:
            hops: redirects that are followed, though to no other server.

        Raises:
            MailboxLockedError: refused, or there is no such thing.
            MailboxBusyError: later, or an answer that makes no sense.
        """
        answer = self._send(ask)
        if hops and answer.status in REDIRECTS:
            url = self._here(ask.url, answer.headers.get("Location", ""))
            return self.object(replace(ask, url=url), hops=hops - 1)
        self._check(answer)
        return json_object(self._mail.service.name, answer)

    def known(self, ask: Ask) -> Row | None:
        """Return the JSON object that answers *ask*, or None where there is no such thing."""
        answer = self._send(ask)
        if is_gone(answer):
            return None
        self._check(answer)
        return json_object(self._mail.service.name, answer)

    def raw(self, ask: Ask) -> bytes | None:
        """Return the bytes that answer *ask*, or None where there is no such thing."""
        answer = self._send(ask)
        if is_gone(answer):
            return None
        self._check(answer)
        if answer.status != 200:
            raise MailboxBusyError(refusal(self._mail.service.name, "cannot answer now", answer))
        return answer.body

    def renew(self) -> None:
        """Learn that the token was refused within an answer."""
        self._mail.tokens.reject(self._mail.tokens.token())

    def check_part(self, answer: Answer) -> None:
        """Hold an answer within an answer, as in a batch, against the same rules."""
        self._check(answer)

    def _here(self, url: str, location: str) -> str:
        """Return where a redirect leads: to another server, our token must not go."""
        try:
            target = urljoin(url, location)
            if urlsplit(target)[:2] == urlsplit(url)[:2]:
                return target
        except ValueError:
            pass
        raise MailboxBusyError(f"{self._mail.service.name} leads us to another server.")

    def _send(self, ask: Ask) -> Answer:
        if self._mail.monotonic_s() > self._ends_s:
            raise MailboxBusyError(f"{self._mail.service.name} takes too long to be read.")
        return self._talk.send_signed(ask, self._mail.tokens)

    def _check(self, answer: Answer) -> None:
        name = self._mail.service.name
        if answer.status < 400:
            return
        if answer.status >= 500 or answer.status in BUSY or self._mail.is_busy(answer):
            problem, wait = refusal(name, "cannot answer now", answer), retry_after(answer.headers)
            self._mail.leave(wait)
            raise MailboxBusyError(problem, retry_after=wait)
        if answer.status == 404 and not is_gone(answer):
            raise MailboxBusyError(refusal(name, "cannot be found now", answer))
        words = "does not know us" if answer.status == 401 else "refuses to be read"
        raise MailboxLockedError(refusal(name, words, answer), remedy=self._mail.remedy)


def is_gone(answer: Answer) -> bool:
    """Does a service that speaks JSON say itself that there is no such thing?

    A 404 of something that stands before it, such as a proxy, says nothing of the kind: it
    has no error code as the services have them.
    """
    return answer.status in {404, 410} and error_code(answer) not in {"", "no JSON"}


class FixedToken:
    """A `TokenSource` with the one token that there is, such as a Fastmail API token."""

    def __init__(self, token: str, *, remedy: str) -> None:
        self._token = token
        self._remedy = remedy

    def token(self) -> str:
        if not (self._token and self._token.isascii() and self._token.isprintable()):
            raise MailboxLockedError("there is no API token for this seed.", remedy=self._remedy)
        return self._token

    def reject(self, token: str) -> None:
        """A refused token is sent once more: there is no other, and a refusal may pass."""


def rows(value: Json) -> list[Row]:
    """Return the objects of a list; [] if it is none."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def listed(name: str, answer: Row, key: str) -> list[Row]:
    """Return the objects of a list that must be there: an answer without it affirms nothing.

    Raises:
        MailboxBusyError: it is not there.
    """
    if not isinstance(answer.get(key), list):
        raise MailboxBusyError(f"{name}'s answer makes no sense: it has no list of {key}.")
    return rows(answer[key])


def text(row: Row, key: str) -> str:
    """Return a text; "" if it is none. What is no text within one becomes a question mark."""
    value = row.get(key)
    return value.strip().encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def shown(name: str) -> str:
    """Return a name for people: cut, and without what would not print."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[:MAX_NAME])
