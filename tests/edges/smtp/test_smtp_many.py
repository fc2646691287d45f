"""Many letters at once: windows, several connections, servers that limit either."""

from collections import Counter
from contextlib import closing
from typing import Any

import pytest

from monitor.core.campaigns import Handover, Outcome
from monitor.core.ports import WindowedTransport
from monitor.core.seeds import Endpoint, Security

ACCEPTED, DEFERRED, REJECTED = Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.REJECTED
UNCERTAIN, FAILED = Outcome.UNCERTAIN, Outcome.FAILED

PLAIN = "250 test.example\r\n"
PIPELINING = "250-test.example\r\n250 PIPELINING\r\n"
CHUNKING = "250-test.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n"


def outcomes(handovers: list[Handover]) -> list[Outcome]:
    return [handover.outcome for handover in handovers]


def rcpts(heard: list[str]) -> list[str]:
    return [line for line in heard if line.upper().startswith("RCPT")]


@pytest.mark.parametrize("hello", [PLAIN, PIPELINING, CHUNKING])
def test_many_letters_go_over_several_connections_and_come_back_in_order(
    stage: Any, hello: str
) -> None:
    server = stage.play(EHLO=hello)

    handovers = stage.send_many(server, 60, window=25, connections=3)

    assert outcomes(handovers) == [ACCEPTED] * 60
    assert [h.message_id for h in handovers] == [f"<{n}@a.example>" for n in range(1, 61)]
    assert len(server.heard) == 3
    said = Counter(line for heard in server.heard for line in rcpts(heard))
    assert set(said.values()) == {1}
    assert len(said) == 60
    assert all(heard[-1] == "quit" for heard in server.heard)


@pytest.mark.parametrize("hello", [PLAIN, PIPELINING, CHUNKING])
def test_no_letter_of_the_next_window_goes_before_its_outcome_is_asked_for(
    stage: Any, hello: str
) -> None:
    server = stage.play(EHLO=hello)
    letters = [stage.letter(number) for number in range(1, 11)]
    transport = stage.transport(server.endpoint).at_once(window=4, connections=2)

    with closing(transport.send_many(letters, window=4)) as handovers:
        assert sum(len(rcpts(heard)) for heard in server.heard) == 0
        for _ in range(4):
            next(handovers)
        assert sum(len(rcpts(heard)) for heard in server.heard) == 4
        next(handovers)
    assert sum(len(rcpts(heard)) for heard in server.heard) == 8


def test_one_at_a_time_is_one_at_a_time_whatever_is_allowed(stage: Any) -> None:
    server = stage.play(EHLO=CHUNKING)
    transport = stage.transport(server.endpoint).at_once(window=50, connections=5)
    assert isinstance(transport, WindowedTransport)

    handovers = transport.send([stage.letter(1), stage.letter(2)])

    assert next(handovers).outcome is ACCEPTED
    assert len(rcpts(server.heard[0])) == 1
    assert len(server.heard) == 1
    handovers.close()


def test_an_extension_that_is_not_to_be_used_is_not(stage: Any) -> None:
    server = stage.play(EHLO=CHUNKING)
    transport = stage.transport(server.endpoint).without(["CHUNKING"])

    assert outcomes(list(transport.send([stage.letter()]))) == [ACCEPTED]
    assert "DATA" in server.heard[0]


@pytest.mark.parametrize("window", [0, 5])
def test_more_than_is_allowed_is_refused(stage: Any, window: int) -> None:
    transport = stage.transport(Endpoint("127.0.0.1", 1, Security.PLAIN))

    with pytest.raises(ValueError, match="window"):
        transport.at_once(window=4, connections=1).send_many([], window=window)
    with pytest.raises(ValueError, match="at least 1"):
        transport.at_once(window=1, connections=0)


def test_a_server_that_allows_two_connections_gets_everything_over_two(stage: Any) -> None:
    full = stage.script(greeting="421 4.7.0 too many connections\r\n")
    one = stage.script(EHLO=CHUNKING)
    server = stage.serve(one, one, full)

    handovers = stage.send_many(server, 40, window=20, connections=4)

    assert outcomes(handovers) == [ACCEPTED] * 40
    assert len(server.heard) == 4, "it is not asked again and again"


@pytest.mark.parametrize("hello", [PIPELINING, CHUNKING])
def test_a_server_that_closes_after_three_letters_gets_all_of_them(stage: Any, hello: str) -> None:
    """421 in answer to MAIL: neither that letter nor what was said after it has been done."""

    def three_only(conversation: Any) -> None:
        conversation.say("220 x\r\n")
        taken = 0
        while line := conversation.hear():
            word = line.split(" ")[0].upper()
            if word == "MAIL" and taken == 3:
                conversation.say("421 4.7.0 too many messages in this session\r\n")
                return
            if word == "BDAT":
                conversation.hear_chunk(int(line.split(" ")[1]))
            if word == "DATA":
                conversation.say("354 go on\r\n")
                conversation.hear_body()
            taken += word in {"BDAT", "DATA"}
            conversation.say(hello if word == "EHLO" else "250 2.0.0 ok\r\n")
            if word == "QUIT":
                return

    handovers = stage.send_many(stage.serve(three_only), 14, window=14, connections=1)

    assert outcomes(handovers) == [ACCEPTED] * 14


def test_a_lost_connection_leaves_in_doubt_what_was_sent_over_it_and_nothing_else(
    stage: Any,
) -> None:
    def hangs_up(conversation: Any) -> None:
        conversation.say("220 x\r\n")
        conversation.hear()
        conversation.say(CHUNKING)
        conversation.hear()

    server = stage.serve(hangs_up, stage.script(EHLO=CHUNKING))

    handovers = stage.send_many(server, 10, window=10, connections=2)

    doubts = [h for h in handovers if h.outcome is UNCERTAIN]
    assert outcomes(handovers).count(ACCEPTED) == 10 - len(doubts)
    assert 1 <= len(doubts) <= 5
    assert all("not confirmed" in h.problem for h in doubts)


def test_a_server_that_reads_only_once_its_answers_are_read_holds_nobody(stage: Any) -> None:
    """It answers each command at length; who only writes would wait for it for ever."""
    long = "".join(f"250-{'x' * 900}\r\n" for _ in range(60)) + "250 2.1.5 ok\r\n"
    server = stage.play(EHLO=CHUNKING, RCPT=long)
    letters = [stage.letter(n, b"Subject: x\r\n\r\n" + b"y" * 200_000) for n in range(1, 40)]
    transport = stage.transport(server.endpoint).at_once(window=39, connections=1)

    handovers = list(transport.send_many(letters, window=39))

    assert outcomes(handovers) == [ACCEPTED] * 39


def test_many_servers_share_the_connections_that_we_keep(stage: Any) -> None:
    servers = [stage.play(EHLO=PIPELINING) for _ in range(23)]
    letters = [stage.letter(number) for number in range(46)]
    transport = stage.transport(
        lambda recipient: servers[int(recipient[4:].split("@")[0]) % 23].endpoint
    ).at_once(window=46, connections=2)

    handovers = list(transport.send_many(letters, window=46))

    assert outcomes(handovers) == [ACCEPTED] * 46


def test_one_dead_server_costs_its_own_letters_only(stage: Any) -> None:
    dead = stage.play(greeting="554 5.7.1 go away\r\n")
    alive = stage.play(EHLO=CHUNKING)
    transport = stage.transport(
        lambda recipient: (dead if "seed2" in recipient else alive).endpoint
    ).at_once(window=4, connections=2)

    handovers = list(transport.send_many([stage.letter(n) for n in (1, 2, 3, 4)], window=4))

    assert outcomes(handovers) == [ACCEPTED, REJECTED, ACCEPTED, ACCEPTED]


def test_a_server_that_falls_silent_is_waited_for_once(stage: Any) -> None:
    server = stage.play(EHLO=PIPELINING, RCPT="250-and then\r\n")

    transport = stage.transport(server.endpoint, timeout_s=0.3).at_once(window=10, connections=2)
    letters = [stage.letter(n) for n in range(30)]
    assert outcomes(list(transport.send_many(letters, window=10))) == [FAILED] * 30
