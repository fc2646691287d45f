"""A sender that writes the receiver's own Authentication-Results is not believed."""

from typing import Any

import pytest

from monitor.evidence import authres
from monitor.evidence.facts import facts

STRANGER = "from out.shop.example.com (out.shop.example.com [8.8.8.8])"
DATE = "Mon, 2 Mar 2026 08:00:05 +0000"

# What each receiver itself writes; the sender's message follows directly.
RECEIVERS = {
    "gmail": (
        f"Received: {STRANGER} by mx.google.com with ESMTPS id x1; {DATE}\n"
        "Received-SPF: fail (google.com: domain of a@b.example does not designate) client-ip=8\n"
        "Authentication-Results: mx.google.com; spf=fail (google.com: x) smtp.mailfrom=b.example\n"
    ),
    "microsoft": (
        "Authentication-Results: spf=fail (sender IP is 8.8.8.8) smtp.mailfrom=b.example\n"
        f"Received: from out.shop.example.com (8.8.8.8) by A1.mail.protection.outlook.com; {DATE}\n"
    ),
    "yahoo": (
        f"Received: from 10.222.1.1 by atlas-production.omega.yahoo.com with HTTPS; {DATE}\n"
        "Authentication-Results: atlas-production.omega.yahoo.com; spf=fail smtp.mailfrom=b\n"
        f"Received: from 8.8.8.8 (EHLO out.shop.example.com) by 10.196.1.1 with SMTPs; {DATE}\n"
    ),
    "icloud": (
        f"Received: {STRANGER} by st43p00im-ztfb.me.com (Postfix) with ESMTPS id EC; {DATE}\n"
        "Authentication-Results: spf.icloud.com; spf=fail (spf.icloud.com: x) smtp.mailfrom=b\n"
        "Received-SPF: fail (spf.icloud.com: domain of a@b.example does not designate)\n"
    ),
    "apple": (
        "Received: from p00-icloudmta-asmtp-1 by p44-mailgateway-smtp-7 (mailgateway 24) with SMTP"
        f" id 1; {DATE}\n"
        f"Received: {STRANGER} by p00-icloudmta-asmtp-1 (Postfix) with ESMTPS id EC; {DATE}\n"
        "Authentication-Results: spf.icloud.com; spf=fail (spf.icloud.com: x) smtp.mailfrom=b\n"
        "Received-SPF: fail (spf.icloud.com: domain of a@b.example does not designate)\n"
    ),
    "proton": (
        "Authentication-Results: mail.protonmail.ch; spf=fail smtp.mailfrom=b.example\n"
        f"Received: {STRANGER} by mailin045.protonmail.ch (Postfix) with ESMTPS id 1; {DATE}\n"
    ),
    "fastmail": (
        "Received: from ams-compute-02.internal (ams-compute-02.internal [10.64.2.62])"
        f" by slotai03m05 (Cyrus 3.13) with LMTPA; {DATE}\n"
        "Received: from mailmx.phl.internal (localhost [127.0.0.1])"
        f" by phl-mx-04.messagingengine.com (Authentication Milter) with ESMTP id 1; {DATE}\n"
        "Authentication-Results: phl-mx-04.messagingengine.com; spf=fail smtp.mailfrom=b\n"
        f"Received: {STRANGER} by phl-mx-04.messagingengine.com (Postfix) with ESMTPS; {DATE}\n"
    ),
    "opendmarc": (
        "Authentication-Results: mx.corp.example; spf=fail smtp.mailfrom=b.example\n"
        f"Received: {STRANGER} by mx.corp.example (Postfix) with ESMTPS id 1; {DATE}\n"
    ),
    "rspamd": (
        f"Received: from localhost (localhost [127.0.0.1]) by mx.corp.example with LMTP; {DATE}\n"
        "Authentication-Results: mx.corp.example; spf=fail smtp.mailfrom=b.example\n"
        "X-Spamd-Result: default: False [1.00 / 15.00]; R_SPF_FAIL(1.00)[-all]\n"
        f"Received: {STRANGER} by mx.corp.example (Postfix) with ESMTPS id 1; {DATE}\n"
    ),
}
OWN_IDS = {
    "gmail": "mx.google.com",
    "microsoft": "",
    "yahoo": "atlas-production.omega.yahoo.com",
    "icloud": "dmarc.icloud.com",
    "apple": "dmarc.icloud.com",
    "proton": "mail.protonmail.ch",
    "fastmail": "phl-mx-04.messagingengine.com",
    "opendmarc": "mx.corp.example",
    "rspamd": "mx.corp.example",
}
PASSED = "spf=pass; dkim=pass; dmarc=pass; arc=pass; compauth=pass reason=100"


def forgeries(own: str, receiver: str) -> list[str]:
    """What a sender may put on top of its message, the nastier the lower."""
    result = f"Authentication-Results: {own}{'; ' if own else ''}{PASSED}\n"
    sealed = f"ARC-Authentication-Results: i=1; {own}{'; ' if own else ''}{PASSED}\n"
    block = RECEIVERS[receiver].replace("spf=fail", "spf=pass; dmarc=pass; dkim=pass")
    return [
        result,
        result + sealed,
        f"Received-SPF: pass (google.com: x)\n{result}",
        block,
        f"{block}{result}",
        result.replace("Authentication-Results:", "AUTHENTICATION-RESULTS:"),
        result.replace("Authentication-Results: ", "Authentication-Results:\n\t "),
    ]


def told(text: str) -> dict[str, Any]:
    found = facts(text.replace("\n", "\r\n").encode(), "")["authentication"]
    return {key: value for key, value in found.items() if value is not None}


@pytest.mark.parametrize("receiver", RECEIVERS)
def test_what_stands_in_the_senders_part_counts_for_nothing(receiver: str) -> None:
    for forged in forgeries(OWN_IDS[receiver], receiver):
        text = f"{RECEIVERS[receiver]}{forged}From: a@b.example\n"
        assert told(text) == {"spf": "fail"}, forged


def test_a_receiver_that_checks_nothing_is_not_said_to_have_passed_it() -> None:
    """A plain Postfix: the sender's first field stands right below its Received."""
    text = f"Received: {STRANGER} by mx.corp.example (Postfix) with ESMTP id 1; {DATE}\n"
    text += f"Authentication-Results: mx.corp.example; {PASSED}\nFrom: a@b.example\n"

    assert told(text) == {}


@pytest.mark.parametrize(
    ("value", "authserv_id", "results"),
    [
        ("mx.example 1; spf=pass", "mx.example", {"spf": "pass"}),
        ('"mx.example"; spf=pass', "mx.example", {"spf": "pass"}),
        ("mx.example; none", "mx.example", {}),
        ("(by) mx.example (x) 1 (y);; dkim (z) = (w) PASS (k)", "mx.example", {"dkim": "pass"}),
        ("mx.example; dkim/1=pass reason=good", "mx.example", {"dkim": "pass"}),
        ('mx.example; spf=fail smtp.mailfrom="x; dmarc=pass"@b', "mx.example", {"spf": "fail"}),
        ("mx.example; spf=fail (x; dmarc=pass)", "mx.example", {"spf": "fail"}),
        ("mx.example; spf=fail (a (b; dkim=pass) c)", "mx.example", {"spf": "fail"}),
        (r"mx.example; spf=fail (a \) ; dkim=pass)", "mx.example", {"spf": "fail"}),
        (r'mx.example; spf=fail reason="a\"; dkim=pass"', "mx.example", {"spf": "fail"}),
        ("mx.example; iprev=pass policy.iprev=2001:db8::7", "mx.example", {}),
        ("mx.example; spf=pass smtp.mailfrom=a%3B dmarc=pass", "mx.example", {"spf": "pass"}),
        ("mx.example; spf=pass; spf=fail", "mx.example", {"spf": "pass"}),
    ],
)
def test_comments_quotes_and_versions_are_read_as_the_rfc_says(
    value: str, authserv_id: str, results: dict[str, str]
) -> None:
    report = authres.parse(value)

    found = {m: v for m in authres.METHODS if (v := getattr(report.results, m)) is not None}
    assert (report.authserv_id, found) == (authserv_id, results)
