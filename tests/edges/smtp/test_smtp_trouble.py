"""Connections that break, servers that fall silent or talk without end."""

import socket
import threading
import time
from contextlib import closing
from typing import Any

import pytest

from monitor.core.campaigns import Handover, Outcome, SmtpReply
from monitor.core.seeds import Endpoint, Security


def outcomes(handovers: list[Handover]) -> list[Outcome]:
    return [handover.outcome for handover in handovers]


ACCEPTED, DEFERRED, REJECTED = Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.REJECTED
UNCERTAIN, FAILED = Outcome.UNCERTAIN, Outcome.FAILED


def test_a_connection_that_the_server_ends_is_opened_again(stage: Any) -> None:
    """Servers close a connection after so many messages; that is no fault of a letter."""

    def one_only(conversation: Any) -> None:
        conversation.take_one()

    server = stage.serve(one_only)

    assert outcomes(stage.send(server, 3)) == [ACCEPTED] * 3
    assert len(server.heard) == 3


def test_421_in_mid_session_defers_no_letter_that_a_new_connection_can_carry(stage: Any) -> None:
    def enough_after_one(conversation: Any) -> None:
        conversation.take_one()
        conversation.hear()
        conversation.say("421 4.7.0 too many messages in this session\r\n")

    server = stage.serve(enough_after_one, stage.script())

    assert outcomes(stage.send(server, 2)) == [ACCEPTED, ACCEPTED]


def test_handovers_that_nobody_asks_for_leave_no_connection_open(stage: Any) -> None:
    server = stage.play()
    handovers = stage.transport(server.endpoint).send([stage.letter(1), stage.letter(2)])

    handovers.close()

    assert server.heard == [["ehlo monitor.example", "quit"]]
    assert list(handovers) == []
    handovers.close()


def test_handovers_that_are_let_go_of_leave_no_connection_open(stage: Any) -> None:
    server = stage.play()

    stage.transport(server.endpoint).send([stage.letter()])

    assert server.heard == [["ehlo monitor.example", "quit"]]


def test_handovers_may_be_left_after_any_outcome(stage: Any) -> None:
    server = stage.play()

    with closing(stage.transport(server.endpoint).send([stage.letter(1), stage.letter(2)])) as some:
        assert next(some).outcome is ACCEPTED

    assert server.heard[0][-1] == "quit"
    assert not any("seed2" in line for line in server.heard[0])
    assert list(some) == []


def test_421_on_every_connection_defers(stage: Any) -> None:
    server = stage.play(MAIL="421 4.7.0 [TSS04] deferred\r\n")

    handovers = stage.send(server, 2)

    assert outcomes(handovers) == [DEFERRED, DEFERRED]
    assert handovers[1].reply == SmtpReply(421, "4.7.0", "[TSS04] deferred")


def test_a_connection_lost_after_the_end_of_data_leaves_the_letter_in_doubt(
    stage: Any,
) -> None:
    server = stage.serve(stage.script(end=""), stage.script())

    handovers = stage.send(server, 2)

    assert outcomes(handovers) == [UNCERTAIN, ACCEPTED]
    assert "not confirmed" in handovers[0].problem
    assert handovers[0].reply is None


def test_no_verdict_in_time_leaves_the_letter_in_doubt(stage: Any) -> None:
    def never_answers(conversation: Any) -> None:
        conversation.take(replies={".": "250-still thinking\r\n"})

    handovers = stage.send(stage.serve(never_answers), timeout_s=0.3)

    assert outcomes(handovers) == [UNCERTAIN]


@pytest.mark.parametrize("at", ["EHLO", "RCPT", "DATA"])
def test_a_connection_lost_before_the_body_has_handed_nothing_over(stage: Any, at: str) -> None:
    [handover] = stage.send(stage.play(**{at: ""}))

    assert handover.outcome is FAILED
    assert handover.problem != ""


def test_a_body_that_was_cut_off_has_not_been_handed_over(stage: Any) -> None:
    def hangs_up_in_the_body(conversation: Any) -> None:
        conversation.say("220 x\r\n")
        conversation.await_body()
        conversation.hear()

    server = stage.serve(hangs_up_in_the_body)
    big = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 2_000_000

    [handover] = stage.transport(server.endpoint).send([stage.letter(raw=big)])

    assert handover.outcome is FAILED
    assert "within the message" in handover.problem


def test_a_refused_connection_fails_every_letter(stage: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    endpoint = Endpoint("127.0.0.1", port, Security.PLAIN)

    handovers = list(stage.transport(endpoint).send([stage.letter(1), stage.letter(2)]))

    assert outcomes(handovers) == [FAILED, FAILED]
    assert f"cannot reach 127.0.0.1:{port}" in handovers[0].problem


@pytest.mark.parametrize("host", ["x" * 64 + ".example", ".example", "a..b"])
def test_a_host_name_that_is_none_fails_the_letter(stage: Any, host: str) -> None:
    """The DNS is written by others; the socket library raises UnicodeError at such names."""
    [handover] = stage.transport(Endpoint(host, 25, Security.PLAIN)).send([stage.letter()])

    assert handover.outcome is FAILED


def test_a_server_that_says_nothing_is_waited_for_once(stage: Any) -> None:
    def mute(conversation: Any) -> None:
        conversation.hear()

    server = stage.serve(mute)
    started = time.monotonic()

    handovers = stage.send(server, 5, timeout_s=0.3)

    assert outcomes(handovers) == [FAILED] * 5
    assert "in time" in handovers[0].problem
    assert time.monotonic() - started < 2


def test_a_server_that_falls_silent_is_waited_for_once(stage: Any) -> None:
    def falls_silent(conversation: Any) -> None:
        conversation.take(replies={"RCPT": "250-and then\r\n"})

    handovers = stage.send(stage.serve(falls_silent), 5, timeout_s=0.3)

    assert outcomes(handovers) == [FAILED] * 5
    assert "stopped answering" in handovers[4].problem


def test_a_server_that_drips_is_not_waited_for_longer_than_allowed(
    stage: Any,
) -> None:
    """Each packet is in time, the reply as a whole never is."""
    gone = threading.Event()

    def drips(conversation: Any) -> None:
        conversation.say("220 x\r\n")
        conversation.hear()
        while not gone.wait(0.05):
            conversation.say("250-more\r\n")

    started = time.monotonic()
    [handover] = stage.send(stage.serve(drips), timeout_s=0.4)
    gone.set()

    assert handover.outcome is FAILED
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "flood",
    ["250-x\r\n" * 100_000, "250 " + "x" * 1_000_000, "SSH-2.0-OpenSSH\r\n", "\0" * 100_000],
)
def test_what_is_not_smtp_ends_the_connection(stage: Any, flood: str) -> None:
    def floods(conversation: Any) -> None:
        conversation.say(flood)
        conversation.hear()

    [handover] = stage.send(stage.serve(floods))

    assert handover.outcome is FAILED
