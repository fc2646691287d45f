"""Delivery reports in the odd shapes that systems write."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.evidence import dsn, telling
from monitor.evidence.explained import explained
from monitor.evidence.smtp_replies import read_table

KNOWN = read_table((Path(__file__).parents[2] / "seedlists/replies.toml").read_text("utf-8"))

HEAD = (
    "Return-Path: <>\n"
    "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\n"
    "X-Failed-Recipients: nobody@shop.example\n"
)
GMAIL = (
    f"{HEAD}Content-Type: text/plain; charset=utf-8\n\n"
    "Delivery to the following recipient failed permanently:\n\n"
    "     nobody@shop.example\n\n"
    "Technical details of permanent failure:\n"
    "It was rejected by the server for the recipient domain shop.example.\n\n"
    "The error that the other server returned was:\n"
    "550 5.1.1 <nobody@shop.example>... User Unknown\n\n"
    "----- Original message -----\n\n"
    "From: a@b.example\n"
)


def standard(fields: str) -> str:
    return (
        f"{HEAD}Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nMessage not delivered\n\n"
        "--b\nContent-Type: message/delivery-status\n\n"
        f"{fields}\n--b--\n"
    )


def recipient(text: str) -> dict[str, Any]:
    found = dsn.read(text.replace("\n", "\r\n").encode())
    assert found is not None
    [one] = json.loads(json.dumps(dsn.told(found, KNOWN)))["recipients"]
    assert isinstance(one, dict)
    return one


def fields(diagnostic: str, host: str = "mx.corp.example", action: str = "failed") -> str:
    return (
        "Reporting-MTA: dns; out.shop.example\n\n"
        f"Final-Recipient: rfc822; seed@corp.example\nAction: {action}\n"
        f"Remote-MTA: dns; {host}\nDiagnostic-Code: smtp; {diagnostic}\n"
    )


def test_a_reply_that_stands_in_a_later_paragraph_is_the_recipients() -> None:
    one = recipient(GMAIL)

    assert (one["status"], one["code"], one["kind"]) == ("5.1.1", 550, "no_such_user")


def test_a_report_without_recipients_of_its_own_has_those_of_its_header() -> None:
    one = recipient(standard("\n"))

    assert (one["address"], one["action"]) == ("nobody@shop.example", "failed")


def test_an_address_of_a_misspelt_type_is_an_address() -> None:
    one = recipient(standard(fields("550 no").replace("rfc822", "rfc/822")))

    assert one["address"] == "seed@corp.example"


@pytest.mark.parametrize(
    ("reply", "host", "source"),
    [
        (
            "550-5.7.1 Unauthenticated email from b.example is not accepted due to domain's",
            "",
            None,
        ),
        (
            "550-5.7.1 Unauthenticated email from b.example is not accepted due to domain's",
            "gmail-smtp-in.l.google.com",
            "Google",
        ),
        ("554 5.7.9 Message not accepted for policy reasons", "mta7.am0.yahoodns.net", "Yahoo"),
    ],
)
def test_the_first_line_of_a_reply_is_known_by_the_server_that_said_it(
    reply: str, host: str, source: str | None
) -> None:
    assert recipient(standard(fields(reply, host or "mx.corp.example")))["source"] == source


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        ("SMTP error after RCPT TO:<a@b.example>: host mx [192.0.2.7]: 550 no", 550, "unknown"),
        ("Delay reason: host mx [192.0.2.7]: 450 later", 450, "temporary"),
        ("Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound'", 550, "no_such_user"),
        ("550: 5.2.2 Mailbox Full", 550, "mailbox_full"),
        ("connect to mx.example[192.0.2.7]:25: timed out", None, "unknown"),
        ("SMTP error after MAIL FROM:<a@b.example>: 553 b.example does not exist", 553, "policy"),
        ("550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", 550, "policy"),
        ("554 5.7.0 Reject, id=20025-09 - SPAM", 554, "content"),
        (
            "It may not exist, they may be blacklisted, or missing the proper dns entries.",
            None,
            "unknown",
        ),
    ],
)
def test_the_reply_within_a_systems_own_words_is_read(
    words: str, code: int | None, kind: str
) -> None:
    one = recipient(standard(fields(words)))

    assert (one["code"], one["kind"]) == (code, kind)


def test_a_reply_of_success_is_no_temporary_failure() -> None:
    one = recipient(standard(fields("250 2.1.5 Ok", action="delivered")))

    assert (one["code"], one["kind"]) == (250, "unknown")


def test_a_japanese_systems_words_are_readable() -> None:
    words = "550 5.1.1 \u30e6\u30fc\u30b6\u30fc\u304c\u3042\u308a\u307e\u305b\u3093"
    report = standard(fields(words)).encode("iso2022_jp")
    found = dsn.read(report)

    assert found is not None
    assert found.recipients[0].diagnostic == words


def test_a_code_that_a_provider_uses_otherwise_is_told_as_registered() -> None:
    words = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
    text = standard(fields(f"{words}\nStatus: 5.1.10"))

    told = "\n".join(telling.lines(explained(text.encode(), KNOWN)))
    assert "5.1.10: registered for: the recipient's domain says that it takes no mail" in told


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        ("550: <nobody@shop.example>: User unknown", "failed"),
        ("Remote host said: 554 no [RCPT_TO]", "failed"),
        ("450: later", None),
        ("554 5.7.1 no", "failed"),
        ("550 4.2.2 full for now", None),
    ],
)
def test_a_text_with_a_code_of_5_tells_a_failure(reply: str, action: str | None) -> None:
    text = (
        "From: MAILER-DAEMON@yahoo.com\nContent-Type: text/plain\n\n"
        "Sorry, we were unable to deliver your message to the following address.\n\n"
        f"<nobody@shop.example>:\n{reply}\n\n"
        "--- Below this line is a copy of the message.\n\nFrom: a@b.example\n"
    )

    assert recipient(text)["action"] == action
