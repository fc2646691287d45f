"""One call of `send`: its connection, and what is known of the service by now."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Event
from typing import Final, Protocol

from monitor.core.campaigns import Handover, Letter, Outcome
from monitor.core.errors import TransportBusyError, TransportRefusedError
from monitor.senders.esp.http_api import Answer, Line, NoAnswerError, Request
from monitor.senders.esp.letters import UnfitError

# Too many requests, also in SparkPost's words, or no service: the next would hear the same.
ASK_PATIENCE: Final = frozenset({420, 429, 503})


class Correspondent(Protocol):
    """A sending service, as far as handing letters over goes; see `Service`."""

    @property
    def known(self) -> Event: ...
    def line(self) -> Line: ...
    def request(self, letter: Letter) -> Request: ...
    def question(self) -> Request: ...
    def judge(self, letter: Letter, answer: Answer) -> Handover: ...
    def refused(self, answer: Answer) -> TransportRefusedError: ...
    def unreached(self, error: NoAnswerError) -> TransportRefusedError | TransportBusyError: ...
    def is_unknown_key(self, answer: Answer) -> bool: ...


class Handovers(Iterator[Handover]):
    """Hands a letter over each time that it is asked for the next outcome.

    No generator: one that was never asked for anything has nothing to clean up by, and
    here a connection may be open by then.
    """

    def __init__(self, service: Correspondent, letters: Sequence[Letter]) -> None:
        self._service = service
        self._letters = iter(letters)
        self._line = service.line()
        self._down: Handover | None = None  # how every further letter ends, unasked

    def greet(self) -> None:
        """Ask for our key ahead of the first letter.

        Raises:
            TransportRefusedError: the service does not know it, or shows a wrong certificate.
        """
        try:
            answer = self._line.ask(self._service.question())
        except NoAnswerError as error:
            if error.is_forged:
                raise self._service.unreached(error) from error
            problem = self._service.unreached(error).what
            self._down = _failed("", problem)
            return
        if self._service.is_unknown_key(answer):
            raise self._service.refused(answer)
        if answer.status < 500:
            self._service.known.set()

    def __next__(self) -> Handover:
        try:
            letter = next(self._letters)
            if self._down is not None:
                return replace(self._down, message_id=letter.message_id)
            return self._hand_over(letter)
        except BaseException:  # StopIteration is the usual one
            self.close()
            raise

    def close(self) -> None:
        """End the connection; letters that were not handed over stay where they are."""
        self._letters = iter(())
        self._line.close()

    def __del__(self) -> None:
        self.close()

    def _hand_over(self, letter: Letter) -> Handover:
        try:
            answer = self._line.ask(self._service.request(letter))
        except UnfitError as error:
            return replace(_failed(letter.message_id, f"{error}."), is_of_server=False)
        except NoAnswerError as error:
            return self._unanswered(letter, error)
        handover = self._service.judge(letter, answer)
        if self._service.is_unknown_key(answer):
            self._service.known.clear()
            self._down = handover
        elif handover.outcome is Outcome.DEFERRED and answer.status in ASK_PATIENCE:
            self._down = handover
        return handover

    def _unanswered(self, letter: Letter, error: NoAnswerError) -> Handover:
        """All of a request that went out may have been done; a part of it cannot.

        A service that cannot be reached, or is silent, is not tried again in this call: each
        letter would wait for it once more.
        """
        problem = self._service.unreached(error).what
        failed = _failed(letter.message_id, problem)
        if not error.was_sent or error.is_silent:
            self._down = failed
        if not error.was_sent:
            return failed
        problem = f"the letter was sent, but not confirmed: {error}"
        return replace(failed, outcome=Outcome.UNCERTAIN, problem=problem)


def _failed(message_id: str, problem: str) -> Handover:
    return Handover(
        message_id, Outcome.FAILED, problem=problem, is_of_server=True, is_of_service=True
    )
