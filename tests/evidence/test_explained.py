"""What `seedwatch explain` says of a message: the verdict first, then every code."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.evidence import codes, telling
from monitor.evidence.explained import explained
from monitor.evidence.smtp_replies import read_table

ROOT = Path(__file__).parents[2]
KNOWN = read_table((ROOT / "seedlists" / "replies.toml").read_text("utf-8"))
MESSAGES = sorted((Path(__file__).parent / "messages").glob("*.eml"))


def message(name: str) -> bytes:
    return (Path(__file__).parent / "messages" / f"{name}.eml").read_bytes()


def explain(raw: bytes) -> dict[str, Any]:
    told = explained(raw, KNOWN)
    assert json.loads(json.dumps(told)) == told
    return told


def lines(raw: bytes) -> list[str]:
    return list(telling.lines(explain(raw)))


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        (
            "microsoft365",
            "Microsoft 365 took it for phishing and put it into Junk. SPF, DKIM and DMARC passed.",
        ),
        (
            "gmail",
            (
                "Received by Gmail; no filter of the receiver's left a verdict in the headers."
                " DKIM and DMARC passed; SPF (softfail) did not."
            ),
        ),
        ("yahoo", "Yahoo took it for spam. SPF, DKIM and DMARC passed."),
        (
            "corporate",
            (
                "The receiver's filter (spamassassin) took it for spam. SPF passed; DKIM (none)"
                " did not."
            ),
        ),
        (
            "report_exim",
            (
                "The message could not be delivered to nobody@corp.example. Apple refuses the"
                " message by a policy of its own, which it does not name (CS01)."
            ),
        ),
        ("report_german", "A delivery report on 2 recipients: 1 failed, 1 delayed."),
    ],
)
def test_the_first_sentence_is_the_verdict(name: str, summary: str) -> None:
    told = explain(message(name))

    assert told["summary"] == summary
    assert next(telling.lines(told)) == summary


@pytest.mark.parametrize(
    ("raw", "summary"),
    [
        (
            b"Subject: x\r\n",
            (
                "Received by a receiver that cannot be told; no filter of the receiver's left a"
                " verdict in the headers. The receiver wrote down no results of SPF, DKIM or DMARC."
            ),
        ),
        (
            b"X-Microsoft-Antispam-Mailbox-Delivery: dest:I;OFR:TrustedSenderList;\r\n",
            (
                "A list or rule of the mailbox placed it, not the filter of Outlook.com: it says"
                " nothing. The receiver wrote down no results of SPF, DKIM or DMARC."
            ),
        ),
        (
            (
                b"Authentication-Results: spf=fail; dmarc=fail\r\n"
                b"X-Microsoft-Antispam-Mailbox-Delivery: dest:I;\r\n"
            ),
            (
                "Outlook.com took it for no spam and put it into the inbox. SPF (fail) and DMARC"
                " (fail) did not pass."
            ),
        ),
        (
            b"X-Forefront-Antispam-Report: SCL:3;DIR:INB;\r\n",
            (
                "Microsoft 365 left no verdict that we can read. The receiver wrote down no results"
                " of SPF, DKIM or DMARC."
            ),
        ),
    ],
)
def test_what_is_not_known_is_said_to_be_unknown(raw: bytes, summary: str) -> None:
    assert explain(raw)["summary"] == summary


def test_every_code_has_its_meaning_and_page() -> None:
    told = explain(message("microsoft365"))

    found = {code["name"]: (code["value"], code["meaning"], code["page"]) for code in told["codes"]}
    page = "https://learn.microsoft.com/en-us/defender-office-365/message-headers-eop-mdo"
    assert found["CAT"] == ("HPHISH", "phishing, with high confidence", page)
    assert found["compauth reason"][:2] == (
        "201",
        "passed softly: nothing was published, but the sender looks like itself",
    )
    assert found["SCL"][2] != page
    assert told["filters"][0]["page"] == page


def test_a_code_that_the_vendor_does_not_name_is_shown_raw() -> None:
    told = explain(b"X-Forefront-Antispam-Report: CAT:XYZ;SFV:QQQ;SCL:7;IPV:ABC;DIR:INB;\r\n")

    assert [(c["name"], c["value"], c["meaning"]) for c in told["codes"]][:4] == [
        ("SCL", "7", None),
        ("CAT", "XYZ", None),
        ("SFV", "QQQ", None),
        ("IPV", "ABC", None),
    ]


@pytest.mark.parametrize(
    ("reason", "begins"),
    [
        ("000", "failed: DMARC"),
        ("001", "failed: no"),
        ("002", "failed: an administrator"),
        ("010", "failed: it uses"),
        ("100", "passed"),
        ("130", "passed: DMARC failed, but a trusted ARC"),
        ("201", "passed softly"),
        ("300", "not checked"),
        ("451", "passed over"),
        ("601", "failed: it uses"),
        ("703", "passed"),
        ("905", "passed over"),
        ("800", None),
        ("555", None),
    ],
)
def test_composite_authentication_has_its_reason_in_words(reason: str, begins: str | None) -> None:
    meaning = codes.compauth_reason(reason)

    assert (meaning or "").startswith(begins or "")
    assert (meaning is None) is (begins is None)


def test_checks_that_did_not_pass_are_explained() -> None:
    raw = b"Authentication-Results: mx.corp.example; spf=softfail; dkim=pass; dmarc=weird\r\n"

    told = [
        (c["name"], c["value"], bool(c["meaning"]), bool(c["page"])) for c in explain(raw)["codes"]
    ]
    assert told == [("spf", "softfail", True, True), ("dmarc", "weird", False, True)]


def test_the_slow_step_of_the_way_is_named() -> None:
    raw = (
        b"Received: from b by c.example; Mon, 2 Mar 2026 09:20:05 +0000\n"
        b"Received: from a by b.example; Mon, 2 Mar 2026 08:00:09 +0000\n"
        b"Received: from o by a.example; Mon, 2 Mar 2026 08:00:05 +0000\n"
    )

    told = explain(raw)
    assert (told["slowest"]["from"], told["slowest"]["by"]) == ("b", "c.example")
    shown = "\n".join(telling.lines(told))
    assert "80 min later (slow)" in shown
    assert "on its way for 80 min, to the mailbox; the slowest step was b to c.example" in shown


def test_arc_is_told_as_a_claim() -> None:
    raw = b"ARC-Seal: i=1; cv=none; d=lists.example.net\n"

    assert any(
        "sealed by lists.example.net; the last one claims cv=none; the receiver says nothing" in one
        for one in lines(raw)
    )


def test_a_mark_that_may_be_the_senders_own_is_told_with_that_doubt() -> None:
    raw = (
        b"Received: from a.example (a.example [8.8.8.8]) by mx.corp.example (Postfix); x\n"
        b"X-Spam-Status: No, score=-9 required=5\n"
    )

    told = explain(raw)
    assert "spamassassin says no spam, in marks that may be the receiver's" in told["summary"]
    assert any("not certain to be the receiver's" in one for one in telling.lines(told))


def test_whose_words_a_bounce_repeats_is_said_and_that_they_may_be_wrong() -> None:
    shown = lines(message("report_german"))

    assert any(one.startswith("  words of gmail-smtp-in.l.google.com: 550-5.1.1") for one in shown)
    assert telling.CAUTION in shown
    assert "  status 5.1.1: no such mailbox" in shown


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_headers_alone_line_ends_and_mailbox_files_tell_the_same(path: Path) -> None:
    raw = path.read_bytes()
    expected = explain(raw)

    for form in (
        raw.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + raw,
        b"From a@b.example Mon Mar  2 08:00:05 2026\n" + raw,
        b"\r\n\r\n" + raw,
    ):
        assert explain(form) == expected
    assert explain(raw.split(b"\n\n")[0])["filters"] == expected["filters"]


MEGABYTE = 1024 * 1024
HOSTILE = {
    "a header of a megabyte": b"Subject: " + b"x" * MEGABYTE + b"\r\n\r\n",
    "a value of a megabyte": b"Authentication-Results: " + b"(;\\\"" * (MEGABYTE // 4) + b"\r\n",
    "10,000 fields": b"X-Spam-Status: Yes, score=1\r\n" * 10_000,
    "10,000 reports": b"ARC-Seal: i=1; d=a\r\nAuthentication-Results: a; spf=pass\r\n" * 5000,
    "parts 1,000 deep": b"".join(
        b"Content-Type: multipart/report; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i)
        for i in range(1000)
    ),
    "attached messages 1,000 deep": b"Content-Type: message/rfc822\r\n\r\n" * 1000,
    "an endless report": b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type:"
    b" message/delivery-status\r\n\r\n" + b"Status: 5.1.1\r\n\r\n" * 50_000,
    "an endless bounce": b"Return-Path: <>\r\nX-Failed-Recipients: "
    + b"a@b.example, " * 50_000
    + b"\r\n\r\n<a@b.example>:\r\n550 5.1.1 x\r\n",
    "a subject in no charset": b"Return-Path: <>\r\nSubject: \xff\xfe =?x-none?B?//8=?= \xe4\r\n",
    "a body in no charset": b"From: postmaster@x\r\nContent-Type: text/plain; charset=rot13\r\n"
    b"\r\n<a@b.example>:\r\n550 5.1.1 \xff\r\n",
    "broken base64": b"Content-Type: message/delivery-status\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n=A=B\xff",
    "a sender of colons": b"From: " + b":" * 3000 + b"\r\n\r\n<a@b.example>:\r\n550 x\r\n",
    "failed colons": b"Return-Path: <>\r\nX-Failed-Recipients: " + b":(<\"" * 999 + b"\r\n\r\nx",
    "halves of characters": b"Return-Path: <>\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n"
    b"<a@b.example>:\r\n550 5.1.1 +2AA-\r\n\r\n--- copy\r\n\r\n"
    b"Subject: =?unicode_escape?q?=5Cud800?=",
    "nothing but zeros": b"\0" * 10_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_no_message_makes_it_raise(name: str) -> None:
    told = explain(HOSTILE[name])

    assert len(json.dumps(told)) < 200_000
    assert "\n".join(telling.lines(told)).encode()


PIECES = [
    *(b"Content-Type: multipart/report; boundary=b\r\n", b"--b", b"--b--", b"\r\n", b"\r\n\r\n"),
    *(b"Content-Type: message/delivery-status\r\n", b"Final-Recipient: rfc822; a@b\r\n", b"; "),
    *(b"Status: 5.1.1\r\n", b"Diagnostic-Code: smtp; 550 5.7.1 [CS01]\r\n", b"<a@b.example>:\r\n"),
    *(b"Content-Transfer-Encoding: base64\r\n", b"From: MAILER-DAEMON@x\r\n", b"550 5.1.1 no\r\n"),
    *(b"Return-Path: <>\r\n", b"X-Failed-Recipients: a@b.example,\r\n", b"--- copy\r\n", b"\xff"),
    *(b"Hi. This is the\r\n", b"Arrival-Date: Mon, 2 Mar 2026 08:00:00 +9999\r\n", b"=?a?b?c?="),
]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_no_order_of_pieces_makes_it_raise(pieces: list[bytes]) -> None:
    assert "\n".join(telling.lines(explain(b"".join(pieces)))).encode()


def test_addresses_in_ipv6_are_read() -> None:
    raw = (
        b"Authentication-Results: mx.corp.example; spf=pass smtp.mailfrom=b.example\n"
        b"Received: from out.shop.example.com (out.shop.example.com [IPv6:2001:db8::7]) by"
        b" mx.corp.example (Postfix) with ESMTPS; Mon, 2 Mar 2026 08:00:05 +0000\n"
    )

    told = explain(raw)
    assert told["authentication"]["spf"] == "pass"
    assert told["hops"][0]["from"] == "out.shop.example.com"


@pytest.mark.parametrize("subject", ["=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "=?x-none?Q?a?=", "=?=?=", "a"])
def test_subjects_are_decoded_or_left_as_they_are(subject: str) -> None:
    raw = message("report_qmail").replace(b"Spring sale", subject.encode())

    shown = explain(raw)["report"]["original_subject"]
    assert shown == {"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=": "Grüße"}.get(subject, subject)
