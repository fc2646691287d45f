"""What a received message's headers say, in words and as the contract's JSON."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import main

QUARANTINED = (
    b"Received: from mail.example.org (192.0.2.1) by DB8EUR05FT.mail.protection.outlook.com\r\n"
    b" (10.0.0.1) with ESMTP; Mon, 2 Mar 2026 08:00:05 +0000\r\n"
    b"X-Forefront-Antispam-Report: CIP:192.0.2.1;CTRY:;LANG:en;SCL:9;SRV:;IPV:NLI;SFV:SPM;"
    b"H:x;PTR:y;CAT:HPHISH;SFS:;DIR:INB;\r\n"
    b"X-Microsoft-Antispam: BCL:0;\r\n"
    b"X-Junk-Oracle: perhaps\r\n"
    b"Subject: x\r\n\r\nbody\r\n"
)


def run(*args: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["explain", *args], input=stdin, catch_exceptions=False)


@pytest.fixture
def message(tmp_path: Path) -> str:
    path = tmp_path / "message.eml"
    path.write_bytes(QUARANTINED)
    return str(path)


def test_the_json_is_that_of_the_contract(message: str) -> None:
    told = json.loads(run("--json", message).output)
    assert told["receiver"] == "microsoft365"
    assert set(told["authentication"]) == {
        "spf",
        "dkim",
        "dmarc",
        "arc",
        "compauth",
        "compauth_reason",
    }
    (microsoft,) = told["filters"]
    assert (microsoft["name"], microsoft["judged"]) == ("microsoft", "phish")
    assert (microsoft["facts"]["scl"], microsoft["facts"]["bcl"]) == (9, 0)
    assert told["unknown"] == ["X-Junk-Oracle: perhaps"]


def test_a_person_reads_the_verdict_in_words(message: str) -> None:
    shown = run(message)
    assert shown.exit_code == 0
    assert "microsoft: phish." in shown.output
    assert "not understood: X-Junk-Oracle: perhaps" in shown.output


def test_standard_input_is_read_for_a_dash() -> None:
    assert json.loads(run("--json", "-", stdin=QUARANTINED).output)["receiver"] == "microsoft365"


def test_each_file_is_a_document(message: str) -> None:
    printed = run("--json", message, message).output
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(printed)
    second, _ = decoder.raw_decode(printed[end:].lstrip())
    assert first == second


@pytest.mark.parametrize("content", [b"", b"  \r\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "empty.eml").write_bytes(content)
    shown = run(str(tmp_path / "empty.eml"))
    assert shown.exit_code == 2
    assert "is empty" in shown.output


def test_a_file_that_is_not_there_is_named() -> None:
    shown = run("/nowhere/message.eml")
    assert shown.exit_code == 2
    assert "/nowhere/message.eml" in shown.output


def test_bytes_that_are_no_message_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 50)
    assert run(str(tmp_path / "noise")).exit_code == 0


BOUNCE = (
    b"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.sender.example\r\n"
    b"Content-Type: multipart/report;\r\n"
    b' report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n'
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.sender.example\r\n\r\n"
    b"Final-Recipient: rfc822; a@outlook.com\r\nAction: failed\r\nStatus: 5.7.1\r\n"
    b"Diagnostic-Code: smtp; 550 5.7.1 part of their network is on our block list (S3140).\r\n"
    b"\r\n--b--\r\n"
)


def test_a_bounce_is_told_as_one_with_whose_words_they_are() -> None:
    told = json.loads(run("--json", "-", stdin=BOUNCE).output)
    (one,) = told["report"]["recipients"]
    assert (one["provider"], one["kind"], one["action"]) == ("outlook", "blocklist", "failed")

    shown = run("-", stdin=BOUNCE).output
    assert "The message could not be delivered to a@outlook.com. Outlook.com has the" in shown
    assert "They often blame the sender" in shown


def test_each_code_is_shown_with_its_meaning_and_where_it_is_explained(message: str) -> None:
    shown = run(message).output
    assert "CAT HPHISH: phishing, with high confidence" in shown
    assert "see https://learn.microsoft.com/en-us/defender-office-365/message-headers" in shown
    told = json.loads(run("--json", message).output)
    assert told["filters"][0]["page"].startswith("https://learn.microsoft.com/")


MILTER = (
    b"Received: from a.example (a.example [8.8.8.8]) by mx.corp.example (Postfix) with ESMTP id 1;"
    b" Mon, 2 Mar 2026 08:00:05 +0000\r\n"
    b"Authentication-Results: mx.corp.example; spf=pass; dkim=pass; dmarc=pass\r\n\r\n"
)


def test_what_a_milter_or_a_sender_wrote_is_believed_of_a_server_that_is_trusted() -> None:
    shown = run("-", stdin=MILTER).output
    assert "no results of SPF, DKIM or DMARC that are surely its own" in shown
    assert "say so with --trust mx.corp.example" in shown

    shown = run("--trust", "MX.corp.example", "-", stdin=MILTER).output
    assert "SPF, DKIM and DMARC passed." in shown
