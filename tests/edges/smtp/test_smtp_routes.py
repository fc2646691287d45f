"""Which server a letter goes to, and that one server's trouble stays its own."""

from typing import Any

import pytest

from monitor.core.campaigns import Handover, Outcome
from monitor.core.errors import AgainLaterError, TransportBusyError
from monitor.core.seeds import Endpoint, Security
from monitor.senders.routes import DirectRoute, Mx


def outcomes(handovers: list[Handover]) -> list[Outcome]:
    return [handover.outcome for handover in handovers]


ACCEPTED, DEFERRED, REJECTED = Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.REJECTED
UNCERTAIN, FAILED = Outcome.UNCERTAIN, Outcome.FAILED


class Names:
    """A DNS of a few names."""

    def __init__(self, mx: dict[str, list[str]]) -> None:
        self._mx = mx

    def mx(self, domain: str) -> list[str]:
        if domain not in self._mx:
            raise AgainLaterError(f"no answer about {domain}")
        return self._mx[domain]


def test_direct_mail_goes_to_the_best_mx() -> None:
    route = DirectRoute(Names({"b.example": ["mx1.b.example", "mx2.b.example"]}), 2525)

    assert route("seed@B.example") == Mx("mx1.b.example", 2525, Security.STARTTLS)


def test_a_domain_without_mx_takes_mail_itself() -> None:
    assert DirectRoute(Names({"b.example": []}))("seed@b.example").host == "b.example"


@pytest.mark.parametrize("names", [{"b.example": ["."]}, {"b.example": [""]}, {}])
def test_a_domain_that_cannot_be_reached_is_an_error_for_later(names: dict[str, list[str]]) -> None:
    with pytest.raises(TransportBusyError):
        DirectRoute(Names(names))("seed@b.example")


def test_one_unreachable_domain_does_not_hold_up_the_others(stage: Any) -> None:
    server = stage.play()

    def route(recipient: str) -> Endpoint:
        if "seed2" in recipient:
            raise TransportBusyError("no answer from the DNS")
        return server.endpoint

    sender = stage.transport(route)
    handovers = list(sender.send([stage.letter(1), stage.letter(2), stage.letter(3)]))

    assert outcomes(handovers) == [ACCEPTED, FAILED, ACCEPTED]
    assert handovers[1].problem == "no answer from the DNS"


def test_one_dead_server_does_not_hold_up_the_others(stage: Any) -> None:
    dead = stage.play(greeting="421 4.3.2 closed\r\n")
    alive = stage.play()

    sender = stage.transport(lambda recipient: (dead if "seed2" in recipient else alive).endpoint)

    assert outcomes(list(sender.send([stage.letter(1), stage.letter(2), stage.letter(3)]))) == [
        *[ACCEPTED, DEFERRED, ACCEPTED]
    ]
