"""What all sending services have in common: one letter, one request, and what its answer means."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from http import HTTPStatus
from threading import Event
from typing import ClassVar, Final

from monitor.bounded_http import retry_after
from monitor.core.campaigns import Handover, Letter, Outcome
from monitor.core.errors import BadInputError, TransportBusyError, TransportRefusedError
from monitor.senders.esp.handovers import Handovers
from monitor.senders.esp.http_api import Answer, Line, NoAnswerError, Request, check_address
from monitor.senders.esp.receipts import Receipt, RefusedLetterError
from monitor.senders.replies import read_reply

MAX_WORDS: Final = 400
SECRET: Final = {"is_secret": True}
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
# What a gateway says that lost the machine behind it: that one may have done the work.
_LOST = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})


class Tracking(StrEnum):
    """Whether the service may put its own links and a counting picture into a letter."""

    ACCOUNT = "account"  # as the account has it, which is what its real campaigns get
    OFF = "off"


@dataclass(frozen=True, kw_only=True)
class Service(ABC):
    """`core.ports.Transport` over a sending service's HTTP API. Safe between threads.

    A kind of service has one file. It says how a letter is written as a request, how an
    answer is read, and which question proves a key; what follows from that is here.

    Attributes:
        timeout_s: for each request with its whole answer.
        region: a key of `HOSTS`; the first one if it is empty.
        base_url: asked instead of the region's host.

    Raises:
        BadInputError: a field cannot be used; a secret is never shown.
    """

    NAME: ClassVar[str]
    HOSTS: ClassVar[Mapping[str, str]]  # region -> where it is asked
    KEY_REMEDY: ClassVar[str]  # what a person does about a refused key
    HINTS: ClassVar[Mapping[str, str]] = {}  # of its words, in lower case -> what to do then
    TRACKING_REMEDY: ClassVar[str] = ""  # where tracking ends, if not with each letter
    GREETS: ClassVar[bool] = True  # a key that may only send can answer `_question`, or says so

    timeout_s: float
    region: str = ""
    base_url: str = ""
    tracking: Tracking = Tracking.ACCOUNT
    known: Event = field(init=False, repr=False, compare=False, default_factory=Event)

    def __post_init__(self) -> None:
        for name, value in self._secrets().items():
            if not (value.isascii() and value.isprintable()) or " " in value:
                raise BadInputError(name, "", "is not a key", remedy=self.KEY_REMEDY)
        if not self.base_url and self.region and self.region not in self.hosts:
            known = [region for region in self.hosts if region]
            raise BadInputError("region", self.region, "is not known", remedy=_choose(known))
        check_address(self.home)
        if self.tracking is Tracking.OFF and self.TRACKING_REMEDY:
            problem = f"cannot be asked of {self.NAME} for single letters"
            raise BadInputError("tracking", "off", problem, remedy=self.TRACKING_REMEDY)

    @property
    def hosts(self) -> Mapping[str, str]:
        return self.HOSTS

    @property
    def home(self) -> str:
        """Where it is asked: scheme, host and perhaps a path, without a slash at the end."""
        host = self.base_url or self.hosts[self.region or next(iter(self.hosts))]
        return host.rstrip("/")

    def send(self, letters: Sequence[Letter]) -> Handovers:
        """Hand over *letters*, as `core.ports.Transport` says.

        A key that was never proven is asked about first, so that a refusal is known before
        any letter counts as begun. Later refusals are FAILED handovers.

        Raises:
            TransportRefusedError: the service does not know our key.
        """
        handovers = Handovers(self, letters)
        if letters and self.GREETS and not self.known.is_set():
            handovers.greet()
        return handovers

    def check(self) -> str:
        """Prove the key by a question that sends nothing, and return who we are there.

        Raises:
            TransportRefusedError: it is refused, or may not send; a person must act.
            TransportBusyError: no answer, or none that makes sense.
        """
        line = self.line()
        try:
            answer = line.ask(self._question())
        except NoAnswerError as error:
            raise self.unreached(error) from error
        finally:
            line.close()
        return self._who(answer)

    # What a kind of service says of itself.

    @abstractmethod
    def _message(self, letter: Letter) -> Request:
        """Write *letter* as a request.

        Raises:
            UnfitError: it cannot be sent as it is.
        """

    @abstractmethod
    def _receipt(self, answer: Answer) -> Receipt | None:
        """Read the answer to a letter that was taken; None if it is not in this service's form.

        Raises:
            RefusedLetterError: the letter was not taken after all.
        """

    @abstractmethod
    def _question(self) -> Request:
        """A cheap request that needs the key and changes nothing."""

    @abstractmethod
    def _identity(self, answer: Answer) -> str:
        """Say who we are, by the answer to `_question`; "" if it does not tell.

        Raises:
            TransportRefusedError: this account may not send.
        """

    @abstractmethod
    def _words(self, answer: Answer) -> str:
        """The service's own words in a refusal, "" if there are none."""

    def is_unknown_key(self, answer: Answer) -> bool:
        """Does the service not know our key, rather than not allow one thing?"""
        return answer.status == HTTPStatus.UNAUTHORIZED

    def _is_busy(self, answer: Answer) -> bool:
        """Is the letter wanted later?"""
        is_told_when = answer.status >= 500 and "Retry-After" in answer.headers
        return answer.status in _BUSY or (is_told_when and answer.status not in _LOST)

    def _is_refusal(self, answer: Answer) -> bool:
        """Does the service refuse, rather than fail?"""
        return 300 <= answer.status < 500

    # What an answer means.

    def line(self) -> Line:
        return Line(self.home, self.timeout_s)

    def request(self, letter: Letter) -> Request:
        """Return the request for *letter*. Raises: as `_message`."""
        return self._message(letter)

    def question(self) -> Request:
        return self._question()

    def judge(self, letter: Letter, answer: Answer) -> Handover:
        """Say what an answer means for *letter*. Never raises.

        A sending service's refusal is no verdict of a mailbox provider, so it is FAILED and
        never REJECTED; docs/esps.md has the table.
        """
        if 200 <= answer.status < 300:
            return self._taken(letter, answer)
        if self._is_busy(answer):
            return self._deferred(letter, answer)
        if self._is_refusal(answer):
            return _of_service(letter, Outcome.FAILED, problem=self._refusal(answer))
        if answer.status in _LOST or not self.said(answer):
            problem = f"{self.NAME} may have taken it: {answer.status} from a machine before it"
            return _of_service(letter, Outcome.UNCERTAIN, problem=problem)
        return self._deferred(letter, answer)

    def refused(self, answer: Answer) -> TransportRefusedError:
        """Say that we are refused as such."""
        remedy = self._hint(self.said(answer)) or self.KEY_REMEDY
        return TransportRefusedError(self._sentence(answer), remedy=remedy)

    def unreached(self, error: NoAnswerError) -> TransportRefusedError | TransportBusyError:
        """Say that a question got no answer."""
        if error.is_forged:
            return TransportRefusedError(
                f"{self.NAME} shows {error}.", remedy="Check base_url, and what stands between."
            )
        return TransportBusyError(f"{self.NAME} cannot be reached: {error}.")

    def said(self, answer: Answer) -> str:
        """The service's words, bounded, on one line, without our keys."""
        words = str(read_reply(0, self._words(answer)[: 4 * MAX_WORDS]).text)
        for value in self._secrets().values():
            words = words.replace(value, "***") if len(value) > 3 else words
        return words[:MAX_WORDS]

    def _refusal(self, answer: Answer) -> str:
        """Write the refusal of a letter, with what to do where that is known."""
        is_of_key = self.is_unknown_key(answer) or answer.status == HTTPStatus.FORBIDDEN
        remedy = self._hint(self.said(answer)) or (self.KEY_REMEDY if is_of_key else "")
        return f"{self._sentence(answer)} {remedy}".strip()

    def _sentence(self, answer: Answer) -> str:
        said = self.said(answer) or _phrase(answer.status)
        return f"{self.NAME} refuses ({answer.status}): {said.rstrip('.')}."

    def _hint(self, words: str) -> str:
        found = (hint for part, hint in self.HINTS.items() if part in words.lower())
        return next(found, "")

    def _taken(self, letter: Letter, answer: Answer) -> Handover:
        try:
            receipt = self._receipt(answer)
        except RefusedLetterError as error:
            words = str(error)[:MAX_WORDS]
            problem = f"{self.NAME} does not send it: {words}. {self._hint(words)}".strip()
            return _of_service(letter, Outcome.FAILED, problem=problem)
        if receipt is None:
            problem = f"{answer.status}, but not in {self.NAME}'s words: only looking tells"
            return _of_service(letter, Outcome.UNCERTAIN, problem=problem)
        self.known.set()
        reply = read_reply(answer.status, f"{self.NAME} took it as {receipt.id}")
        its_own = "" if receipt.message_id == letter.message_id else receipt.message_id
        return Handover(letter.message_id, Outcome.ACCEPTED, reply, their_id=its_own)

    def _deferred(self, letter: Letter, answer: Answer) -> Handover:
        wait = retry_after(answer.headers)
        later = f", again in {wait.total_seconds():.0f} s" if wait is not None else ""
        words = self.said(answer) or _phrase(answer.status)
        reply = read_reply(answer.status, f"{self.NAME}: {words}{later}")
        return Handover(
            letter.message_id, Outcome.DEFERRED, reply, is_of_server=True, is_of_service=True
        )

    def _who(self, answer: Answer) -> str:
        if answer.status == HTTPStatus.OK and answer.said is not None:
            return self._identity(answer)
        if self._is_refusal(answer) and not self._is_busy(answer):
            raise self.refused(answer)
        words = self.said(answer) or _phrase(answer.status)
        raise TransportBusyError(
            f"{self.NAME} cannot answer now ({answer.status}): {words}.",
            retry_after=retry_after(answer.headers),
        )

    def _secrets(self) -> dict[str, str]:
        named = [one.name for one in fields(self) if one.metadata.get("is_secret")]
        return {name: value for name in named if (value := getattr(self, name))}


def _of_service(letter: Letter, outcome: Outcome, *, problem: str) -> Handover:
    return Handover(
        letter.message_id, outcome, problem=problem, is_of_server=True, is_of_service=True
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


def _choose(known: Sequence[str]) -> str:
    return f"Choose one of: {', '.join(known)}." if known else "Leave it out."
