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
