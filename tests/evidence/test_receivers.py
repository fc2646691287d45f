"""Receivers whose machines have odd names, or that write a field for each result."""

from typing import Any

import pytest

from monitor.evidence.facts import facts

STRANGER = "from out.shop.example (out.shop.example [192.0.2.7])"
GOOGLES = "from m1.google.com (m1.google.com [192.0.2.9])"
DATE = "Mon, 2 Mar 2026 08:00:05 +0000"
SENDERS = f"Received: by m1.google.com with SMTP id 1; {DATE}\n"

FASTMAIL = (
    "Received: from ams-compute-02.internal (ams-compute-02.internal [10.64.2.62])\n"
    f" by slotai03m05 (Cyrus 3.13) with LMTPA; {DATE}\n"
    "X-Spam-known-sender: no\n"
    "X-Spam-score: 0.0\n"
    "X-Spam-hits: BAYES_00 -1.9, SA_VERSION 4.0.1\n"
    f"Received: from phl-mx-04 ([10.202.2.203]) by ams-compute-02.internal (LMTPProxy); {DATE}\n"
    "Received: from phl-mx-04.messagingengine.com (localhost [127.0.0.1])\n"
    f" by mailmx.phl.internal (Postfix) with ESMTP id 1; {DATE}\n"
    "Authentication-Results: phl-mx-04.messagingengine.com; x-csa=none; x-me-sender=none\n"
    "Authentication-Results: phl-mx-04.messagingengine.com; arc=none (no signatures found)\n"
    "Authentication-Results: phl-mx-04.messagingengine.com; dkim=pass; dmarc=pass; spf=softfail\n"
    f"Received: {STRANGER} by phl-mx-04.messagingengine.com (Postfix) with ESMTPS id 2; {DATE}\n"
    "Authentication-Results: phl-mx-04.messagingengine.com; compauth=pass reason=100\n"
)
PROTON = (
    "Authentication-Results: mail.protonmail.ch; dkim=fail (bad signature) header.d=a.example\n"
    "Authentication-Results: mail.protonmail.ch; dmarc=pass (p=none) header.from=shop.example\n"
    "Authentication-Results: mail.protonmail.ch; spf=pass smtp.mailfrom=shop.example\n"
    "Authentication-Results: mail.protonmail.ch; dkim=pass header.d=shop.example\n"
    f"Received: {STRANGER} by mailin045.protonmail.ch (Postfix) with ESMTPS id 1; {DATE}\n"
    "X-Pm-Spam-Action: inbox\n"
)
APPLES = "p00-icloudmta-asmtp-us-central-1k-100-percent-4"
ICLOUD = (
    f"Received: from {APPLES} by p142-mailgateway-smtp-5ff-gb9dv (mailgateway 25) with SMTP id 1\n"
    f" for <seed@me.com>; {DATE}\n"
    "X-Apple-MoveToFolder: INBOX \n"
    f"Received: {GOOGLES} by {APPLES} (Postfix) with ESMTPS id 5; {DATE}\n"
    "Authentication-Results: dmarc.icloud.com; dmarc=pass header.from=shop.example\n"
    "Authentication-Results: spf.icloud.com; spf=fail smtp.mailfrom=a@shop.example\n"
    "Received-SPF: fail (spf.icloud.com: domain of a@shop.example)\n"
)
ZOHO = (
    "Authentication-Results: mx.zohomail.com;\n\tdkim=pass;\n\tspf=none (zoho.com: 192.0.2.7)\n"
    f"Received: {STRANGER} by mx.zohomail.com with SMTP id 1; {DATE}\n"
)
WEBDE = (
    "Received: from pop3.web.de [192.0.2.77] by localhost with POP3 (fetchmail-6.4.6); "
    f"{DATE}\n"
    f"Received: {STRANGER} by mx-ha.web.de (mxweb112 [192.0.2.8]) with ESMTPS (Nemesis); {DATE}\n"
)
AOL = (
    f"X-Apparently-To: seed@aol.com; {DATE}\n"
    f"Received: from 10.222.142.150 by atlas206.ne1.yahoo.com with HTTPS; {DATE}\n"
    "X-YMailISG: iU.RbH8WLDuS\n"
)


def read(text: str) -> dict[str, Any]:
    return facts(f"{text}{SENDERS}From: a@shop.example\n".replace("\n", "\r\n").encode(), "")


@pytest.mark.parametrize(
    ("text", "receiver", "results"),
    [
        (FASTMAIL, "fastmail", {"spf": "softfail", "dkim": "pass", "dmarc": "pass", "arc": "none"}),
        (PROTON, "proton", {"spf": "pass", "dkim": "fail", "dmarc": "pass"}),
        (ICLOUD, "icloud", {"spf": "fail", "dmarc": "pass"}),
        (ZOHO, "zoho", {"spf": "none", "dkim": "pass"}),
        (WEBDE, "webde", {}),
        (AOL, "aol", {}),
    ],
)
def test_each_receiver_is_known_and_all_that_it_found_is_told(
    text: str, receiver: str, results: dict[str, str]
) -> None:
    found = read(text)

    said = {name: value for name, value in found["authentication"].items() if value is not None}
    assert (found["receiver"], said) == (receiver, results)


@pytest.mark.parametrize("text", [FASTMAIL, PROTON, ICLOUD, AOL])
def test_the_marks_of_these_receivers_are_their_own(text: str) -> None:
    [one] = read(text)["filters"]

    assert (one["judged"], one["standing"]) == ("clean", "receiver")


def test_below_a_machine_without_a_name_of_its_own_the_senders_do_not_name_the_receiver() -> None:
    for by in ("ex01.corp.local (10.0.0.1)", "mx01"):
        found = read(f"Received: {GOOGLES} by {by} with Microsoft SMTP Server; {DATE}\n")
        assert found["receiver"] is None


@pytest.mark.parametrize(
    ("mark", "receiver"),
    [
        ("X-Apple-MoveToFolder: Junk", "icloud"),
        ("X-Pm-Spamscore: 18", "proton"),
        ("X-UI-Filterresults: junk:10;V03", "gmx"),
        ("UI-InboundReport: junk:10;M01:P0", "gmx"),
        ("X-YahooFilteredBulk: 192.0.2.7", "yahoo"),
        ("X-Spam-known-sender: no", "fastmail"),
    ],
)
def test_a_field_that_one_receiver_alone_writes_tells_it_where_no_machine_does(
    mark: str, receiver: str
) -> None:
    assert facts(f"{mark}\r\n".encode(), "")["receiver"] == receiver
    for by in ("mx.corp.example", "mx01"):
        forwarded = f"Received: {STRANGER} by {by} with ESMTP; {DATE}\r\n{mark}\r\n"
        assert facts(forwarded.encode(), "")["receiver"] is None


def test_what_protons_milters_claim_below_its_own_received_is_told_whole() -> None:
    text = (
        f"Received: {STRANGER} by mailin028.protonmail.ch (Postfix) with ESMTPS id 1; {DATE}\n"
        "Authentication-Results: mailin028.protonmail.ch; arc=none\n"
        "Authentication-Results: mailin028.protonmail.ch; dkim=none\n"
        "Authentication-Results: mailin028.protonmail.ch; spf=pass smtp.mailfrom=shop.example\n"
    )

    claimed = read(text)["authentication_claimed"]
    assert (claimed["arc"], claimed["dkim"], claimed["spf"]) == ("none", "none", "pass")
    assert read(text)["authentication"]["spf"] is None


@pytest.mark.parametrize(
    ("report", "older", "judged"),
    [
        ("notjunk:1;M01:P0:+9z6DQ", "", "clean"),
        ("junk:10;M01:P0:+9z6DQ", "0 (Mail was not recognized as spam); Detail=V3;", "spam"),
        ("unknown:2;M01:P0:+9z6DQ", "", "unknown"),
        ("unknown:2;M01:P0:+9z6DQ", "0 (Mail was not recognized as spam); Detail=V3;", "clean"),
        ("unknown:2;M01:P0:+9z6DQ", "-2 (not scanned, spam filter disabled)", "unknown"),
    ],
)
def test_gmx_says_under_a_new_name_what_it_took_the_mail_for(
    report: str, older: str, judged: str
) -> None:
    own = f"Received: {STRANGER} by mx-ha.gmx.net (mxgmx114 [192.0.2.8]) with ESMTPS; {DATE}\n"
    marks = f"UI-InboundReport: {report}\n" + (f"X-GMX-Antispam: {older}\n" if older else "")

    [one] = read(f"{own}{marks}")["filters"]
    assert (one["judged"], one["standing"]) == (judged, "receiver")


def test_a_sender_within_the_receivers_network_is_a_stranger_all_the_same() -> None:
    text = (
        f"Received: from localhost (localhost [127.0.0.1]) by mx.corp.example with LMTP; {DATE}\n"
        "Authentication-Results: mx.corp.example; spf=none\n"
        f"Received: from app.local (app.local [10.0.0.5]) by mx.corp.example with ESMTP; {DATE}\n"
        "Authentication-Results: forged.example; dmarc=pass\n"
        f"Received: from desk by app.local with ESMTP; {DATE}\n"
    )

    found = facts(text.encode(), "")["authentication"]
    assert (found["spf"], found["dmarc"]) == ("none", None)
