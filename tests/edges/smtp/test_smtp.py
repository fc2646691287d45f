"""Handing letters over: what arrives, and what each answer of a server means."""

from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.alerts.email import EmailAlerter
from monitor.core.campaigns import Handover, Letter, Outcome, SmtpReply
from monitor.core.clock import ManualClock
from monitor.core.errors import AgainLaterError, InDoubtError, PersonNeededError
from monitor.core.ports import Alert, Message
from monitor.core.seeds import Endpoint, Security
from monitor.senders.replies import read_reply


def outcomes(handovers: list[Handover]) -> list[Outcome]:
    return [handover.outcome for handover in handovers]


ACCEPTED, DEFERRED, REJECTED = Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.REJECTED
UNCERTAIN, FAILED = Outcome.UNCERTAIN, Outcome.FAILED


def test_many_letters_travel_over_one_connection(stage: Any) -> None:
    server = stage.play()

    handovers = stage.send(server, 3)

    assert outcomes(handovers) == [ACCEPTED] * 3
    assert [h.message_id for h in handovers] == ["<1@a.example>", "<2@a.example>", "<3@a.example>"]
    assert handovers[0].reply == SmtpReply(250, "2.0.0", "queued as 17")
    assert len(server.heard) == 1
    assert server.heard[0][0] == "ehlo monitor.example"
    assert server.heard[0][-1] == "quit"


def test_each_outcome_is_known_before_the_next_letter_goes(stage: Any) -> None:
    server = stage.play()

    handovers = stage.transport(server.endpoint).send([stage.letter(1), stage.letter(2)])
    first = next(handovers)

    assert first.outcome is ACCEPTED
    assert not any("seed2" in line for line in server.heard[0])
    assert next(handovers).outcome is ACCEPTED
    assert list(handovers) == []


def test_no_letters_need_no_server(stage: Any) -> None:
    nowhere = Endpoint("127.0.0.1", 1, Security.PLAIN)

    assert list(stage.transport(nowhere).send([])) == []


def test_the_body_arrives_as_it_was_written(stage: Any) -> None:
    server = stage.play()
    raw = b"Subject: x\r\n\r\n.leading dot\r\n..two\r\n.\r\nend"

    handovers = list(stage.transport(server.endpoint).send([stage.letter(raw=raw)]))

    assert outcomes(handovers) == [ACCEPTED]
    start = server.heard[0].index("DATA")
    arrived = ["Subject: x", "", "..leading dot", "...two", "..", "end", "."]
    assert server.heard[0][start + 1 :] == [*arrived, "quit"]


def test_bare_line_feeds_cannot_end_a_message_early(stage: Any) -> None:
    server = stage.play()
    smuggled = b"Subject: x\n\nhello\n.\nMAIL FROM:<evil@a.example>\n"

    handovers = list(stage.transport(server.endpoint).send([stage.letter(raw=smuggled)]))

    assert outcomes(handovers) == [ACCEPTED]
    assert ".." in server.heard[0]


@pytest.mark.parametrize(
    ("at", "reply", "outcome", "expected"),
    [
        ("MAIL", "451 4.7.500 Server busy\r\n", DEFERRED, SmtpReply(451, "4.7.500", "Server busy")),
        ("MAIL", "550 no\r\n", REJECTED, SmtpReply(550, "", "no")),
        ("RCPT", "450 4.2.0 greylisted\r\n", DEFERRED, SmtpReply(450, "4.2.0", "greylisted")),
        ("RCPT", "452 4.2.2 mailbox full\r\n", DEFERRED, SmtpReply(452, "4.2.2", "mailbox full")),
        ("DATA", "451 4.3.2 not now\r\n", DEFERRED, SmtpReply(451, "4.3.2", "not now")),
        ("end", "550 5.7.1 [CS01] policy\r\n", REJECTED, SmtpReply(550, "5.7.1", "[CS01] policy")),
        ("end", "452 4.3.1 disk full\r\n", DEFERRED, SmtpReply(452, "4.3.1", "disk full")),
        (
            "RCPT",
            "550-5.1.1 The account does not exist.\r\n550-5.1.1 Try\r\n550 5.1.1 later\r\n",
            REJECTED,
            SmtpReply(550, "5.1.1", "The account does not exist. Try later"),
        ),
    ],
)
def test_a_refusal_at_any_stage_is_kept_with_its_reply(
    stage: Any, at: str, reply: str, outcome: Outcome, expected: SmtpReply
) -> None:
    [handover] = stage.send(stage.play(**{at: reply}))

    assert handover.outcome is outcome
    assert handover.reply == expected


def test_after_a_refused_recipient_the_others_go_on(stage: Any) -> None:
    def picky(conversation: Any) -> None:
        conversation.say("220 x\r\n")
        while line := conversation.hear():
            word = line[:4].upper()
            if word == "DATA":
                conversation.say("354 go\r\n")
                conversation.hear_body()
            conversation.say("550 5.1.1 unknown\r\n" if "seed2@" in line else "250 ok\r\n")
            if word == "QUIT":
                return

    server = stage.serve(picky)

    assert outcomes(stage.send(server, 3)) == [ACCEPTED, REJECTED, ACCEPTED]
    assert len(server.heard) == 1
    assert "rset" in [line.lower() for line in server.heard[0]]


@pytest.mark.parametrize(
    ("greeting", "outcome"),
    [
        ("421 4.3.2 come back later\r\n", DEFERRED),
        ("554-gmx.example Nemesis ESMTP\r\n554 No SMTP service\r\n", REJECTED),
    ],
)
def test_a_refusing_greeting_concerns_every_letter(
    stage: Any, greeting: str, outcome: Outcome
) -> None:
    server = stage.play(greeting=greeting)

    handovers = stage.send(server, 3)

    assert outcomes(handovers) == [outcome] * 3
    assert all(handover.is_of_server for handover in handovers)
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    ("at", "is_of_server"),
    [("EHLO", True), ("MAIL", True), ("RCPT", False), ("DATA", False), ("end", False)],
)
def test_it_is_known_whether_a_refusal_was_meant_for_the_recipient(
    stage: Any, at: str, is_of_server: bool
) -> None:
    [handover] = stage.send(stage.play(**{at: "550 5.7.1 no\r\n"}))

    assert (handover.outcome, handover.is_of_server) == (REJECTED, is_of_server)


def test_a_server_that_knows_only_helo_is_greeted_so(stage: Any) -> None:
    server = stage.play(EHLO="502 5.5.1 what\r\n")

    assert outcomes(stage.send(server)) == [ACCEPTED]
    assert server.heard[0][1] == "helo monitor.example"


def test_a_message_beyond_the_limit_is_refused_before_it_travels(
    stage: Any,
) -> None:
    def limited(conversation: Any) -> None:
        conversation.take(replies={"MAIL": "552 5.3.4 Message size exceeds limit\r\n"})

    server = stage.serve(limited)
    big = b"Subject: x\r\n\r\n" + b"x" * 70 * 700_000

    [handover] = stage.transport(server.endpoint).send([stage.letter(raw=big)])

    assert handover.outcome is REJECTED
    assert handover.reply == SmtpReply(552, "5.3.4", "Message size exceeds limit")
    assert f"SIZE={len(big)}".lower() in server.heard[0][1].lower()


@pytest.mark.parametrize(
    "recipient",
    ["a@b.example>\r\nRCPT TO:<c@d.example", "a b@c.example", "ä@b.example", "", "a,b@c.d"],
)
def test_an_address_that_cannot_be_sent_never_reaches_the_server(
    stage: Any, recipient: str
) -> None:
    server = stage.play()
    bad = Letter("<9@a.example>", "bounce@a.example", recipient, b"Subject: x\r\n\r\n")

    handovers = list(stage.transport(server.endpoint).send([bad, stage.letter(2)]))

    assert outcomes(handovers) == [FAILED, ACCEPTED]
    assert sum("rcpt" in line.lower() for line in server.heard[0]) == 1


def test_a_bounce_is_sent_with_an_empty_envelope_sender(stage: Any) -> None:
    server = stage.play()
    bounce = Letter("<9@a.example>", "", "seed@b.example", b"Subject: x\r\n\r\n")

    assert outcomes(list(stage.transport(server.endpoint).send([bounce]))) == [ACCEPTED]
    assert server.heard[0][1].lower().startswith("mail from:<>")


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (250, b"2.0.0 Ok", SmtpReply(250, "2.0.0", "Ok")),
        (550, b"5.7.1", SmtpReply(550, "5.7.1", "")),
        (550, b"5.7.1.9 odd", SmtpReply(550, "", "5.7.1.9 odd")),
        (
            421,
            b"4.7.28 Our system\n4.7.28 has detected",
            SmtpReply(421, "4.7.28", "Our system has detected"),
        ),
        (554, b"\x1b[31mred\x00\xff", SmtpReply(554, "", "[31mred")),
        (250, b"", SmtpReply(250, "", "")),
    ],
)
def test_a_reply_is_read(code: int, text: bytes, expected: SmtpReply) -> None:
    assert read_reply(code, text) == expected


def test_a_reply_is_kept_short() -> None:
    assert len(read_reply(550, b"x" * 10_000).text) == 1000


def alerter(stage: Any, server: Any) -> EmailAlerter:
    clock = ManualClock(datetime(2026, 3, 2, 14, 11, tzinfo=UTC))
    return EmailAlerter(stage.transport(server.endpoint), "alerts@watch.example", clock)


ALERT = Alert("1", "ops@a.example", Message("s", "t", "<p>t</p>"), "<a@watch.example>")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({"greeting": "554 5.7.1 your address is on a list\r\n"}, AgainLaterError),
        ({"MAIL": "530 5.7.0 authentication required\r\n"}, AgainLaterError),
        ({"RCPT": "550 5.1.1 unknown\r\n"}, PersonNeededError),
        ({"end": "554 5.7.1 policy\r\n"}, PersonNeededError),
        ({"end": ""}, InDoubtError),
    ],
)
def test_an_alert_is_given_up_only_for_what_concerns_itself(
    stage: Any, script: dict[str, str], expected: type[Exception]
) -> None:
    with pytest.raises(expected) as raised:
        alerter(stage, stage.play(**script)).tell(ALERT)

    assert type(raised.value) is expected


def test_an_alert_s_connection_is_ended_properly(stage: Any) -> None:
    server = stage.play()

    alerter(stage, server).tell(ALERT)

    assert server.heard[0][-1] == "quit"
