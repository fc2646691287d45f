"""What of a letter arrives at each sending service."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from email.header import decode_header, make_header

import pytest

from monitor.core.campaigns import Letter, Outcome
from tests.edges.esp.conftest import CAMPAIGN, make_letter, make_service
from tests.edges.esp.server import EspServer, Vendor, reply
from tests.edges.esp.vendors import BY_KIND, of_raw

AS_IT_IS = {"mailgun", "ses", "sparkpost", "mailchimp"}
Start = Callable[[Vendor], EspServer]


def test_a_letter_arrives_with_all_that_makes_it(server: EspServer) -> None:
    letter = make_letter()

    (handover,) = make_service(server).send([letter])

    sent = server.vendor.took(server.letters[0])
    message = of_raw(sent.raw) if sent.raw else sent
    assert handover.outcome is Outcome.ACCEPTED
    assert sent.recipient == "seed1@mailbox.example"
    assert message.sender == "news@brand.example"
    assert message.name == "Brand Müller, Ltd"
    assert message.subject == "Frühling: 20 % off"
    assert message.bodies[0].split() == CAMPAIGN.text.split()
    assert message.bodies[1].strip() == CAMPAIGN.html
    assert message.headers["X-Seedwatch-Test"] == "tok1"
    assert message.headers["Message-ID"] == letter.message_id
    assert message.headers["X-Campaign-ID"] == "spring-7"
    assert message.headers["List-Unsubscribe"] == CAMPAIGN.headers[0][1]
    assert message.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize("kind", sorted(AS_IT_IS))
def test_a_service_that_takes_whole_messages_gets_the_same_bytes(start: Start, kind: str) -> None:
    server = start(BY_KIND[kind])

    list(make_service(server).send([make_letter()]))

    assert server.vendor.took(server.letters[0]).raw == make_letter().raw


def test_the_receipt_names_the_service_and_the_id_that_it_gave(server: EspServer) -> None:
    (handover,) = make_service(server).send([make_letter()])

    assert handover.reply is not None
    assert handover.reply.text.endswith(f"took it as {server.vendor.id}")
    assert handover.their_id == server.vendor.their_id
    assert not handover.is_of_server


def test_a_message_id_that_stayed_ours_is_not_told_as_theirs(start: Start) -> None:
    letter = make_letter()
    server = start(BY_KIND["mailgun"])
    server.acts = [reply(200, {"id": letter.message_id, "message": "Queued. Thank you."})]

    (handover,) = make_service(server).send([letter])

    assert (handover.outcome, handover.their_id) == (Outcome.ACCEPTED, "")


def test_amazon_s_home_region_writes_another_domain(start: Start) -> None:
    server = start(BY_KIND["ses"])
    service = make_service(server, region="us-east-1")
    with closing(service.line()) as line:
        answer = line.ask(service.question())  # signed for another region than the server's

    assert answer.status == 400
    assert server.problems.pop() == "the signature is wrong"
    assert "us-east-1" in server.problems.pop()
    taken = replace(answer, status=200, body=b'{"MessageId": "01-0"}')
    assert service.judge(make_letter(), taken).their_id == "<01-0@email.amazonses.com>"


def test_letters_go_one_by_one_over_one_connection(server: EspServer) -> None:
    handovers = make_service(server).send([make_letter(n) for n in (1, 2, 3)])
    assert server.letters == []

    first = next(handovers)
    assert len(server.letters) == 1

    assert [first.message_id] == ["<1.a@brand.example>"]
    assert [one.message_id for one in handovers] == ["<2.a@brand.example>", "<3.a@brand.example>"]
    assert len(server.letters) == 3
    assert server.connections == 1


def test_who_leaves_early_leaves_no_letter_half_sent(server: EspServer) -> None:
    handovers = make_service(server).send([make_letter(n) for n in (1, 2)])
    next(handovers)
    handovers.close()

    assert list(handovers) == []
    assert len(server.letters) == 1


def test_no_letters_need_no_server(server: EspServer) -> None:
    assert list(make_service(server).send([])) == []
    assert server.connections == 0


def test_a_connection_that_the_service_ended_is_opened_again(server: EspServer) -> None:
    handovers = make_service(server).send([make_letter(n) for n in (1, 2)])
    next(handovers)
    server.hang_up()

    assert next(handovers).outcome is Outcome.ACCEPTED
    assert server.connections == 2


@pytest.mark.parametrize(
    ("kind", "off"),
    [
        ("sendgrid", b'"click_tracking":{"enable":false,"enable_text":false}'),
        ("mailgun", b'name="o:tracking"\r\n\r\nno\r\n'),
        ("postmark", b'"TrackOpens":false,"TrackLinks":"None"'),
        ("sparkpost", b'"options":{"open_tracking":false,"click_tracking":false}'),
        ("mailchimp", b'"raw_message":"X-MC-Track: none\\r\\n'),
    ],
)
def test_tracking_is_the_account_s_unless_it_is_switched_off(
    start: Start, kind: str, off: bytes
) -> None:
    server = start(BY_KIND[kind])

    list(make_service(server).send([make_letter()]))
    list(make_service(server, tracking="off").send([make_letter()]))

    usual, without = server.letters
    assert b"rack" not in usual.body
    assert off in without.body


def test_a_repeated_letter_is_the_same_request_to_resend(start: Start) -> None:
    server = start(BY_KIND["resend"])
    server.acts = [server.vendor.failed]

    list(make_service(server).send([make_letter(minute=0)]))
    list(make_service(server).send([make_letter(minute=3)]))

    first, second = server.letters
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.headers["idempotency-key"] == "<1.a@brand.example>"


def test_postmark_is_asked_to_keep_our_message_id(start: Start) -> None:
    server = start(BY_KIND["postmark"])

    list(make_service(server, stream="broadcast").send([make_letter()]))

    assert server.vendor.took(server.letters[0]).headers["X-PM-KeepID"] == "true"
    assert server.letters[0].json["MessageStream"] == "broadcast"


ATTACHED = (
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n'
    b"Content-Type: application/pdf\r\n\r\n%PDF\r\n--b--\r\n"
)


@pytest.mark.parametrize("kind", ["sendgrid", "postmark", "brevo", "resend"])
def test_an_attachment_is_not_left_out_in_silence(start: Start, kind: str) -> None:
    server = start(BY_KIND[kind])
    letter = replace(make_letter(), raw=b"From: news@brand.example\r\nSubject: x\r\n" + ATTACHED)

    (handover,) = make_service(server).send([letter])

    assert handover.outcome is Outcome.FAILED
    assert "application/pdf" in handover.problem
    assert server.letters == []


@pytest.mark.parametrize("kind", ["sendgrid", "brevo", "resend"])
def test_a_header_that_stands_twice_is_not_halved_in_silence(start: Start, kind: str) -> None:
    server = start(BY_KIND[kind])
    twice = replace(CAMPAIGN, headers=(("X-Tag", "a"), ("x-tag", "b")))

    (handover,) = make_service(server).send([make_letter(campaign=twice)])

    assert handover.outcome is Outcome.FAILED
    assert "x-tag only once" in handover.problem


@pytest.mark.parametrize("kind", ["sendgrid", "postmark", "resend"])
def test_a_header_beyond_ascii_stays_encoded(start: Start, kind: str) -> None:
    server = start(BY_KIND[kind])
    umlaut = replace(CAMPAIGN, headers=(("X-Note", "Grüße " * 30),))

    list(make_service(server).send([make_letter(campaign=umlaut)]))

    value = server.vendor.took(server.letters[0]).headers["X-Note"]
    assert value.isascii()
    assert value.isprintable()
    assert str(make_header(decode_header(value))).split() == ["Grüße"] * 30


def test_a_service_that_would_send_raw_bytes_in_a_header_gets_none(start: Start) -> None:
    server = start(BY_KIND["brevo"])
    umlaut = replace(CAMPAIGN, headers=(("X-Note", "Grüße"),))

    (handover,) = make_service(server).send([make_letter(campaign=umlaut)])

    assert handover.outcome is Outcome.FAILED
    assert "beyond ASCII" in handover.problem


def test_double_braces_do_not_go_to_a_service_that_would_fill_them_in(start: Start) -> None:
    server = start(BY_KIND["sparkpost"])
    letter = make_letter(campaign=replace(CAMPAIGN, html="<p>Dear {{name}}</p>"))

    (handover,) = make_service(server).send([letter])

    assert handover.outcome is Outcome.FAILED
    assert "double braces" in handover.problem
    assert server.letters == []


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\x00: \r\n\r\n\xff", b"From: <\r\nSubject: =?x?q?=FF?=\r\n\r\nhi"]
)
def test_a_letter_that_cannot_be_read_stops_no_other(server: EspServer, raw: bytes) -> None:
    broken = Letter("<b@brand.example>", "", "seed@mailbox.example", raw)

    _, fine = make_service(server).send([broken, make_letter()])

    assert fine.outcome is Outcome.ACCEPTED
    server.problems.clear()
