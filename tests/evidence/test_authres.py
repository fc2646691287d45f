"""Whom a header is believed: the receiver, its boundary, and Authentication-Results."""

from pathlib import Path
from typing import Any

import pytest

from monitor.evidence import fields, hops
from monitor.evidence.facts import facts


def message(name: str) -> str:
    return (Path(__file__).with_name("messages") / f"{name}.eml").read_text("utf-8")


GMAIL = message("gmail")
MICROSOFT365 = message("microsoft365")
YAHOO = message("yahoo")
ICLOUD = message("icloud")
GMX = message("gmx")
CORPORATE = message("corporate")
RSPAMD = message("rspamd")


def read(text: str, provider: str = "") -> dict[str, Any]:
    return facts(text.replace("\n", "\r\n").encode(), provider)


def authentication(text: str) -> dict[str, str | None]:
    found = read(text)["authentication"]
    assert isinstance(found, dict)
    return {key: value for key, value in found.items() if value is not None}


def only_filter(text: str) -> dict[str, Any]:
    [one] = read(text)["filters"]
    assert isinstance(one, dict)
    return one


@pytest.mark.parametrize(
    ("text", "receiver"),
    [
        (GMAIL, "gmail"),
        (GMAIL.replace("seed@gmail.com", "seed@corp.example"), "google_workspace"),
        (MICROSOFT365, "microsoft365"),
        (MICROSOFT365.replace("X-Forefront-Antispam-Report:", "X-Other:"), "outlook"),
        (YAHOO, "yahoo"),
        (ICLOUD, "icloud"),
        (GMX, "gmx"),
        (CORPORATE, None),
        ("X-Forefront-Antispam-Report: SFV:NSPM;DIR:INB;\n", "microsoft365"),
        ("X-Microsoft-Antispam-Mailbox-Delivery: dest:I;\n", "outlook"),
        ("Authentication-Results: mx.google.com; spf=pass\n", "gmail"),
        (
            (
                "Authentication-Results: atlas.omega.yahoo.com; spf=pass\n"
                "Received: from 192.0.2.7 (EHLO out.shop.example) by 10.1.1.1 with SMTPs;\n"
                "Received: from app.shop.example by out.shop.example with ESMTP;\n"
            ),
            "yahoo",
        ),
        (
            (
                "Received: from 192.0.2.7 (EHLO out.shop.example) by 10.1.1.1 with SMTPs;\n"
                "Authentication-Results: atlas.omega.yahoo.com; spf=pass\n"
            ),
            None,
        ),
        ("", None),
    ],
)
def test_the_receiver_is_told_from_hosts_and_headers(text: str, receiver: str | None) -> None:
    assert read(text)["receiver"] == receiver


def test_the_receiver_that_is_known_is_taken() -> None:
    assert read(CORPORATE, "corporate")["receiver"] == "corporate"


def test_a_report_of_the_senders_tenant_does_not_make_microsoft_the_receiver() -> None:
    """Mail that leaves Microsoft 365 carries its outbound report to every receiver."""
    text = GMAIL + "X-Forefront-Antispam-Report: CIP:255.255.255.255;SFV:NSPM;DIR:OUT;\n"

    assert read(text)["receiver"] == "gmail"
    assert read(text)["filters"] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GMAIL, {"spf": "softfail", "dkim": "pass", "dmarc": "pass"}),
        (
            MICROSOFT365,
            {"spf": "pass", "dkim": "pass", "dmarc": "bestguesspass"}
            | {"compauth": "softpass", "compauth_reason": "201"},
        ),
        (YAHOO, {"dkim": "pass", "spf": "pass", "dmarc": "success"}),
        (ICLOUD, {"spf": "fail", "dkim": "pass", "dmarc": "pass", "arc": "none"}),
        (GMX, {}),
        (CORPORATE, {"spf": "pass", "dkim": "none"}),
        (RSPAMD, {"dkim": "pass", "dmarc": "pass"}),
    ],
)
def test_the_receivers_own_results_are_believed(text: str, expected: dict[str, str]) -> None:
    assert authentication(text) == expected


@pytest.mark.parametrize("last", ["prod.exchangelabs.com", "prod.outlook.com"])
def test_microsofts_results_are_its_own_whatever_its_last_machine_is_called(last: str) -> None:
    text = MICROSOFT365.replace("B1.namprd10.prod.outlook.com", f"B1.{last}")

    assert authentication(text)["compauth"] == "softpass"


def test_results_below_the_boundary_are_the_senders_own_words() -> None:
    text = CORPORATE + "Authentication-Results: mx.corp.example; dmarc=pass; arc=pass\n"

    assert authentication(text) == {"spf": "pass", "dkim": "none"}


def test_results_right_below_the_boundary_need_the_receivers_own_spf_field() -> None:
    text = (
        "Received: from out.shop.example.com (out.shop.example.com [192.0.2.7]) by mx.google.com"
        " with ESMTPS id 1; Mon, 2 Mar 2026 08:00:05 +0000\n"
        "Authentication-Results: mx.google.com; spf=pass; dkim=pass; dmarc=pass\n"
    )

    assert authentication(text) == {}


def test_of_several_fields_of_one_server_the_topmost_counts() -> None:
    text = "Authentication-Results: mx.corp.example; spf=fail\n" + CORPORATE

    assert authentication(text) == {"spf": "fail"}


def test_an_arc_field_of_the_receivers_stands_in_for_a_plain_one() -> None:
    text = GMAIL.replace("\nAuthentication-Results: mx.google.com;", "\nX-Removed: x;")

    assert authentication(text) == {"spf": "pass", "dkim": "pass", "arc": "none"}


def test_untrusted_copies_are_never_believed() -> None:
    text = (
        "Authentication-Results-Untrusted: spf=pass\n"
        "X-Forefront-Antispam-Report-Untrusted: SFV:SKQ;CAT:PHSH\n"
        "X-Microsoft-Antispam-Untrusted: BCL:9\n"
        "X-Microsoft-Antispam-Mailbox-Delivery: dest:I;\n"
    )

    assert authentication(text) == {}
    assert only_filter(text)["judged"] == "clean"
    assert read(text)["contaminated"] is False


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (GMAIL, "out.shop.example.com"),
        (MICROSOFT365, "fake.prod.outlook.com"),
        (YAHOO, "192.0.2.7"),
        (ICLOUD, "out.shop.example.com"),
        (CORPORATE, "out.shop.example.com"),
        (RSPAMD, "out.shop.example.com"),
    ],
)
def test_the_boundary_is_where_the_message_came_in(text: str, source: str) -> None:
    chain = hops.read(fields.parse(text.encode()))
    found = hops.boundary(chain)

    assert found is not None
    assert found.from_name == source


def test_a_client_that_takes_the_receivers_name_is_foreign_all_the_same() -> None:
    text = (
        "Authentication-Results: mx.corp.example; spf=fail\n"
        "Received: from mail.corp.example (unknown [8.8.8.8]) by mx.corp.example; x\n"
        "Authentication-Results: other.corp.example; dmarc=pass\n"
        "Received: from a.example by mail.corp.example; x\n"
    )

    assert authentication(text) == {"spf": "fail"}


POSTFIX_RSPAMD = message("postfix_rspamd")  # as Debian's Postfix and Rspamd write it
OWN = {"dkim": "pass", "spf": "softfail"}


def test_a_milters_results_right_below_the_boundary_are_a_claim() -> None:
    """There a milter of the receiver writes, and there a sender's own first field ends up."""
    found = read(POSTFIX_RSPAMD)

    assert authentication(POSTFIX_RSPAMD) == {}
    claimed = found["authentication_claimed"]
    assert claimed["authserv_id"] == "mx.corporate.example"
    assert {key: claimed[key] for key in OWN} == OWN


def test_they_are_believed_of_a_server_that_is_known_to_write_them() -> None:
    found = facts(POSTFIX_RSPAMD.encode(), "corporate", trusted=("mx.corporate.example",))

    assert {key: found["authentication"][key] for key in OWN} == OWN
    assert found["authentication_claimed"] is None


def test_of_a_trusted_server_too_the_topmost_counts_and_only_right_below() -> None:
    forged = "Authentication-Results: mx.corporate.example; dkim=pass; spf=pass; dmarc=pass\n"
    between = POSTFIX_RSPAMD.replace("From: hello", f"{forged}From: hello")
    far = POSTFIX_RSPAMD.replace("X-Spamd-Bar", f"{forged}X-Spamd-Bar")
    other = forged.replace("mx.corporate", "mx.shop")
    for text in (between, far, POSTFIX_RSPAMD.replace("From: hello", f"{other}From: hello")):
        found = facts(text.encode(), "corporate", trusted=("mx.corporate.example",))
        assert found["authentication"]["spf"] == "softfail"
        assert found["authentication"]["dmarc"] is None


def test_what_a_stranger_writes_there_is_no_claim_of_the_receivers() -> None:
    text = POSTFIX_RSPAMD.replace("Results: mx.corporate.example", "Results: mx.shop.example")

    assert read(text)["authentication_claimed"] is None


def test_above_the_boundary_a_trusted_server_is_asked_before_others() -> None:
    text = "Authentication-Results: relay.example; spf=pass\n" + CORPORATE

    found = facts(text.encode(), "corporate", trusted=("mx.corp.example",))
    assert found["authentication"]["dkim"] == "none"
    text = "Authentication-Results: relay.example; dmarc=pass\n" + CORPORATE
    found = facts(text.encode(), "corporate", trusted=("mx.corp.example",))
    assert found["authentication"]["dmarc"] is None


def test_rspamds_marks_at_the_end_are_the_receivers_if_they_know_its_queue_id() -> None:
    """Nobody can know the number that the receiver gives a message before it has it."""
    assert only_filter(POSTFIX_RSPAMD)["standing"] == "receiver"
    other = POSTFIX_RSPAMD.replace("Queue-Id: 099DA230785", "Queue-Id: 099DA230786")
    assert only_filter(other)["standing"] == "claim"
    twice = POSTFIX_RSPAMD.replace("From: hello", "X-Spamd-Result: default: False [0 / 15]\nFrom: ")
    assert only_filter(twice)["standing"] == "claim"
    assert read(POSTFIX_RSPAMD)["unknown"] == []


def test_a_handover_by_lmtp_is_no_entrance_whatever_the_machine_is_called() -> None:
    """Dovecot says its machine's name, which may have no domain."""
    text = POSTFIX_RSPAMD.replace("by mx.corporate.example with LMTP", "by vm with LMTP")
    chain = hops.read(fields.parse(text.encode()))

    found = hops.boundary(chain)
    assert found is not None
    assert found.from_name == "out.shop.example.com"
    assert only_filter(text)["standing"] == "receiver"


def test_lmtp_from_a_foreign_address_is_an_entrance() -> None:
    text = POSTFIX_RSPAMD.replace("([127.0.0.1])\n\tby mx.corporate.example with LMTP", "")
    text = "Received: from a.example (a.example [8.8.4.4]) by vm with LMTP id 1; x\n" + text

    found = hops.boundary(hops.read(fields.parse(text.encode())))
    assert found is not None
    assert found.from_name == "a.example"
