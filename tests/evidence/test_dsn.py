"""Delivery reports: standard ones in any language, and plain text as far as it is safe."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.evidence import dsn, parts
from monitor.evidence.smtp_replies import read_table

ROOT = Path(__file__).parents[2]
KNOWN = read_table((ROOT / "seedlists" / "replies.toml").read_text("utf-8"))


def message(name: str) -> bytes:
    return (Path(__file__).parent / "messages" / f"{name}.eml").read_bytes()


GERMAN = message("report_german")
EXIM = message("report_exim")
QMAIL = message("report_qmail")


def report(raw: bytes) -> dsn.Report:
    found = dsn.read(raw)
    assert found is not None
    json.dumps(dsn.told(found, KNOWN))
    return found


def told(raw: bytes) -> list[dict[str, Any]]:
    recipients = dsn.told(report(raw), KNOWN)["recipients"]
    assert isinstance(recipients, list)
    return recipients


def test_a_report_in_another_language_is_read_by_its_fields() -> None:
    found = report(GERMAN)

    assert (found.form, found.reporting_mta) == ("rfc3464", "mail.sender.example")
    assert found.envelope_id == "copy-17"
    assert found.arrived_at == datetime(2026, 3, 2, 8, 0, 4, tzinfo=UTC)
    assert (found.original_message_id, found.original_subject) == (
        "<copy-17@sender.example>",
        "Grüße",
    )
    failed, delayed = found.recipients
    assert (failed.address, failed.original_address) == ("weg@gmail.com", "Weg@gmail.com")
    assert (failed.action, failed.status) == ("failed", "5.1.1")
    assert failed.remote_mta == "gmail-smtp-in.l.google.com"
    assert (delayed.action, delayed.status) == ("delayed", "4.2.2")
    assert delayed.retry_until == datetime(2026, 3, 7, 8, 0, 10, tzinfo=UTC)


def test_each_recipient_is_told_with_the_meaning_of_its_reply() -> None:
    failed, delayed = told(GERMAN)

    assert (failed["kind"], failed["provider"]) == ("no_such_user", "gmail")
    assert failed["meaning"] == "Google knows no such mailbox."
    assert (delayed["kind"], delayed["status_meaning"]) == ("mailbox_full", "the mailbox is full")
    assert delayed["retry_until"] == "2026-03-07T08:00:10Z"


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"From MAILER-DAEMON Mon Mar 2 2026\n"])
def test_line_ends_and_what_stands_before_do_not_matter(before: bytes, line_end: bytes) -> None:
    found = report(before + GERMAN.replace(b"\n", line_end))

    assert [one.address for one in found.recipients] == ["weg@gmail.com", "voll@corp.example"]
    assert found.original_message_id == "<copy-17@sender.example>"


def test_a_report_within_another_part_is_found() -> None:
    """Some gateways put a disclaimer around it."""
    head, body = GERMAN.split(b"MIME-Version: 1.0\n", 1)
    raw = head + b"Content-Type: multipart/mixed; boundary=out\n\n--out\n" + body + b"\n--out--\n"

    assert len(report(raw).recipients) == 2


def test_an_encoded_status_in_utf8_is_read() -> None:
    """RFC 6533: addresses in other scripts."""
    status = "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: utf-8; jörg@b.example\n"
    status += "Action: failed\nStatus: 5.6.7\n"
    for encoding, text in (
        ("8bit", status.encode()),
        ("quoted-printable", status.encode().replace(b"=", b"=3D").replace(b"\xc3\xb6", b"=C3=B6")),
        ("base64", base64.b64encode(status.encode())),
    ):
        raw = (
            b"Content-Type: multipart/report; boundary=b\n\n--b\n"
            b"Content-Type: message/global-delivery-status\n"
            b"Content-Transfer-Encoding: " + encoding.encode() + b"\n\n" + text + b"\n--b--\n"
        )
        assert report(raw).recipients[0].address == "jörg@b.example"


def test_exims_report_is_read_by_its_field_of_failed_recipients() -> None:
    found = report(EXIM)

    assert (found.form, found.original_message_id) == ("text", "<copy-18@sender.example>")
    assert found.original_subject == "Spring sale"
    (one,) = told(EXIM)
    assert (one["address"], one["action"], one["status"]) == (
        "nobody@corp.example",
        "failed",
        "5.7.1",
    )
    assert (one["kind"], one["source"]) == ("policy", "Apple")


def test_qmails_report_is_read_by_its_paragraphs() -> None:
    found = report(QMAIL)

    assert (found.form, found.original_message_id) == ("qmail", "<copy-19@sender.example>")
    assert [(one.address, one.status) for one in found.recipients] == [
        ("nobody@corp.example", "5.1.1"),
        ("other@corp.example", "5.1.2"),
    ]


TEXT = (
    "Return-Path: <>\nFrom: {sender}\nSubject: x\n\nLe message n'a pas pu être remis.\n\n"
    '"a@b.example":\nhost: mx.b.example\n{reply}\n\n--- Le message ---\n\nMessage-ID: <m@x>\n'
)


@pytest.mark.parametrize(
    ("reply", "action"),
    [("550 5.1.1 inconnu", "failed"), ("452 4.2.2 pleine", None)],
)
def test_a_paragraph_with_an_address_and_a_code_is_a_report(reply: str, action: str | None) -> None:
    """A code of 4 may be a warning or the end, and the words are not read."""
    (one,) = report(TEXT.format(sender="MAILER-DAEMON@x.example", reply=reply).encode()).recipients

    assert (one.address, one.action) == ("a@b.example", action)


def test_a_daemons_paragraph_above_the_returned_message_needs_no_code() -> None:
    """Whether it failed or is late, such a report says in words only: that stays unknown."""
    text = TEXT.format(sender="MAILER-DAEMON@x.example", reply="boîte inconnue")

    (one,) = report(text.encode()).recipients
    assert (one.address, one.action, one.diagnostic) == (
        "a@b.example",
        None,
        "host: mx.b.example boîte inconnue",
    )


def test_exchanges_old_report_is_read() -> None:
    text = (
        "From: System Administrator <postmaster@b.example>\nX-MS-Embedded-Report:\n\n"
        "did not reach the following recipient(s):\n\n"
        "a@b.example on Thu, 29 Apr 2010 00:00:00 -0000\n    MSEXCH:IMS:x 0 (000C05A6)\n"
    )

    assert report(text.encode()).recipients[0].address == "a@b.example"


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.format(sender="anna@x.example", reply="550 5.1.1 no").replace("<>", "<anna@x>"),
        TEXT.format(sender="MAILER-DAEMON@x.example", reply="nobody is at home").split("---")[0],
        TEXT.format(sender="anna@x.example", reply="nobody is at home"),
        "From: anna@x.example\nX-Failed-Recipients: a@b.example\n\n550 no\n",
        "Return-Path: <>\nFrom: a@x.example\nSubject: Out of office\n\nI am away until 5.1.1.\n",
        (
            "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n"
            "--b\nContent-Type: message/disposition-notification\n\n"
            "Final-Recipient: rfc822; a@b\n--b--\n"
        ),
        (
            "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n"
            "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n--b--\n"
        ),
        "Subject: x\n\nhello\n",
        "",
    ],
)
def test_mail_of_people_receipts_and_complaints_are_no_reports(raw: str) -> None:
    assert dsn.read(raw.encode()) is None


def test_what_the_report_does_not_say_is_none() -> None:
    raw = b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/"
    raw += b"delivery-status\n\nFinal-Recipient: rfc822; a@b.example\n--b--\n"

    found = report(raw)
    (one,) = found.recipients
    assert (one.action, one.status, one.diagnostic, one.remote_mta) == (None, None, None, None)
    assert (found.reporting_mta, found.arrived_at, found.original_message_id) == (None, None, None)


def test_a_report_cut_short_is_read_as_far_as_it_goes() -> None:
    for length in range(0, len(GERMAN), 97):
        dsn.read(GERMAN[:length])
    assert len(report(GERMAN[: GERMAN.index(b"Will-Retry")]).recipients) == 2


def test_nothing_that_could_reach_a_terminal_is_told() -> None:
    raw = EXIM.replace(b"local policy", b"local \x1b[2J\x07 policy")

    assert "\x1b" not in json.dumps(told(raw), ensure_ascii=False)


def test_parts_are_bounded() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 10_000

    assert len(parts.split(raw)) == parts.MAX_PARTS
    assert len(report(GERMAN.replace(b"Action:", b"Action:\n\nStatus: 5.0.0\nAction:")).recipients)
