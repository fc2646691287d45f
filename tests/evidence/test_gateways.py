"""Marks of company gateways, and whether the receiver must have written them."""

from typing import Any

import pytest

from monitor.evidence.facts import facts

BARRACUDA = """\
X-Barracuda-Spam-Score: 10.11
X-Barracuda-Spam-Status: Yes, SCORE=10.11 using per-user scores of TAG_LEVEL=3.5
 QUARANTINE_LEVEL=9.0 KILL_LEVEL=1000.0 tests=BSF_SC0_MV0951, HTML_MESSAGE
X-Barracuda-Spam-Report: Code version 3.2, rules version 3.2.3.45577
 Rule breakdown below
  pts rule name              description
 ---- ---------------------- --------------------------------------------------
 0.00 HTML_MESSAGE           BODY: HTML included in message
 1.25 BSF_SC0_MV0951         Custom rule
"""
PROOFPOINT = """\
X-Proofpoint-Virus-Version: vendor=baseguard
 engine=ICAP:2.0.293,Aquarius:18.0.1143 definitions=2026-05-22_06
X-Proofpoint-Spam-Details: rule=inbound_spam_bulk policy=inbound score=71 phishscore=0
 bulkscore=93 mlxscore=71 classifier=spam adjust=0 reason=mlx scancount=1
"""


def only(text: str) -> dict[str, Any]:
    [one] = facts(text.replace("\n", "\r\n").encode(), "")["filters"]
    assert isinstance(one, dict)
    return one


@pytest.mark.parametrize(
    ("text", "name", "judged"),
    [
        (BARRACUDA, "barracuda", "quarantined"),
        (BARRACUDA.replace("10.11", "4.00"), "barracuda", "spam"),
        (BARRACUDA.replace("Yes", "No"), "barracuda", "clean"),
        ("X-Barracuda-Spam-Flag: YES\n", "barracuda", "spam"),
        (PROOFPOINT, "proofpoint", "bulk"),
        ("X-Proofpoint-Spam-Details: rule=notspam policy=default score=0\n", "proofpoint", "clean"),
        ("X-Proofpoint-Spam-Details: rule=spam policy=default score=99\n", "proofpoint", "spam"),
        ("X-Proofpoint-Spam-Details: rule=inbound_phish score=99\n", "proofpoint", "phish"),
        ("X-Proofpoint-Spam-Details: rule=circle9 score=1\n", "proofpoint", "unknown"),
        ("X-Proofpoint-Spam-Details-Enc: AW1haW4tMjYwNDA4\n", "proofpoint", "unknown"),
        ("X-Mimecast-Spam-Score: 0.001\n", "mimecast", "clean"),
        ("X-Mimecast-Spam-Score: 5\n", "mimecast", "unknown"),
        ("X-Mimecast-Spam-Score: 28\n", "mimecast", "spam"),
        ("X-Mimecast-Bulk-Signature: yes\nX-Mimecast-Spam-Signature: bulk\n", "mimecast", "bulk"),
        ("X-Mimecast-Spam-Signature: yes\n", "mimecast", "spam"),
        ("X-IPAS-Result: =?us-ascii?q?A2DoAAB6?=\n", "cisco", "unknown"),
        ("X-Amp-Result: MALICIOUS\nX-Amp-File-Uploaded: False\n", "cisco", "malware"),
        ("X-Amp-Result: SKIPPED(no attachment in message)\n", "cisco", "unknown"),
        (
            "X-IronPort-Outbreak-Status: Yes\nX-IronPort-Outbreak-Description: Phish\n",
            *("cisco", "phish"),
        ),
        ("X-GMX-Antispam: 0 (Mail was not recognized as spam); Detail=V3;\n", "gmx", "clean"),
        ("X-GMX-Antispam: 5 (nemesis text pattern profiler)\n", "gmx", "spam"),
        ("X-GMX-Antispam: -2 (not scanned, spam filter disabled)\n", "gmx", "unknown"),
        ("X-Spam-score: 6.1\nX-Spam-hits: BAYES_99 3.5, ME_X -0.1\n", "fastmail", "spam"),
        ("X-Spam-score: 0.0\nX-Spam-known-sender: no\n", "fastmail", "clean"),
        ("X-Spam-Flag: YES\n", "spam-flag", "spam"),
        (
            "X-Rspamd-Score: 12.3\nX-Rspamd-Report: FUZZY(10.3) BAYES(-2.9)\nX-Spam: Yes\n",
            *("rspamd", "spam"),
        ),
        ("X-Spamd-Bar: /\nX-Spam-Status: No, score=-0.50\n", "rspamd", "clean"),
        ("X-Virus: Eicar-Test\nX-Rspamd-Server: mx\n", "rspamd", "malware"),
    ],
)
def test_each_gateway_is_read_in_its_own_words(text: str, name: str, judged: str) -> None:
    one = only(text)

    assert (one["name"], one["judged"]) == (name, judged)


def test_barracudas_levels_and_rules_are_numbers() -> None:
    found = only(BARRACUDA)["facts"]

    assert found["score"] == 10.11
    assert (found["tag_level"], found["quarantine_level"], found["kill_level"]) == (3.5, 9, 1000)
    assert found["symbols"] == {"BSF_SC0_MV0951": 1.25, "HTML_MESSAGE": 0.0}


def test_proofpoints_scores_are_numbers() -> None:
    found = only(PROOFPOINT)["facts"]

    assert (found["score"], found["bulkscore"], found["phishscore"]) == (71, 93, 0)
    assert (found["rule"], found["policy"]) == ("inbound_spam_bulk", "inbound")
    assert found["virus_version"].startswith("vendor=baseguard")


def test_what_proofpoint_says_of_outgoing_mail_is_told_as_such() -> None:
    """Half of the mail that carries its marks was scanned on its way out."""
    one = only("X-Proofpoint-Spam-Details: rule=outbound_notspam policy=outbound score=0\n")

    assert one["facts"]["direction"] == "out"
    assert "on its way out" in one["meaning"]


def test_mimecasts_impersonation_checks_that_were_true_are_named() -> None:
    value = "Policy=Default;Similar Internal Domain=false;Newly Observed Domain=True;Reply-to=false"

    found = only(f"X-Mimecast-Impersonation-Protect: {value}\n")["facts"]

    assert found["impersonation"] == "Newly Observed Domain"


def test_spamassassins_report_fills_in_the_points_of_its_rules() -> None:
    text = (
        "X-Spam-Status: Yes, score=5.3 required=5.0 tests=BAYES_99,SPF_PASS autolearn=no\n"
        "X-Spam-Report:\n *  3.5 BAYES_99 BODY: Bayes spam probability is 99 to 100%\n"
        " * -0.0 SPF_PASS SPF: sender matches SPF record\n *      [score: 0.9999]\n"
    )

    assert only(text)["facts"]["symbols"] == {"BAYES_99": 3.5, "SPF_PASS": 0.0}


def test_rspamds_forms_of_exim_and_before_1_8_have_their_symbols_too() -> None:
    old = "X-Spamd-Result: default: True [7.10 / 15.00]\n BAYES_SPAM(5.10)[100%]\n R_X(2.00)[]\n"

    assert only(old)["facts"]["symbols"] == {"BAYES_SPAM": 5.1, "R_X": 2.0}
    exim = "X-Rspamd-Report: URI_COUNT_ODD(1) MIME_GOOD(-0.1)\nX-Rspamd-Bar: +++\n"
    assert only(exim)["facts"]["symbols"] == {"URI_COUNT_ODD": 1.0, "MIME_GOOD": -0.1}
    assert only(exim)["facts"]["bar"] == 3


def test_what_a_sender_puts_into_a_symbols_options_is_no_symbol() -> None:
    text = "X-Spamd-Result: default: False [1 / 15];\n"
    text += " URL_X(1.00)[a; BAYES(9.0)[, x] BB(-9)]; CC(2.0)[]\n"

    assert only(text)["facts"]["symbols"] == {"URL_X": 1.0, "CC": 2.0}


def test_a_sender_in_fastmails_address_book_is_contaminated() -> None:
    found = facts(b'X-Spam-score: 0.0\r\nX-Spam-known-sender: yes ("Address a@b")\r\n', "")

    assert found["contaminated"] is True


def test_another_provider_than_fastmail_is_not_contaminated_by_its_mark() -> None:
    assert facts(b"X-Spam-known-sender: yes\r\n", "gmail")["contaminated"] is False
    assert facts(b"X-Spam-known-sender: yes\r\n", "fastmail")["contaminated"] is True


RECEIVED = "Received: from a.example (a.example [8.8.8.8]) by mx.corp.example (Postfix); x\n"


@pytest.mark.parametrize("mark", ["X-Spam-Status: No, score=1 required=5\n", PROOFPOINT, BARRACUDA])
def test_a_mark_below_the_boundary_may_be_the_senders_own(mark: str) -> None:
    assert only(RECEIVED + mark)["standing"] == "claim"
    assert only(mark + RECEIVED)["standing"] == "receiver"


def test_another_providers_mark_is_a_claim() -> None:
    """Forwarded mail keeps the marks of the provider that forwarded it."""
    text = "Received: from a.example by mx.google.com with ESMTPS; x\nX-UI-Filterresults: junk:1\n"

    assert only(text)["standing"] == "claim"


@pytest.mark.parametrize(("provider", "own"), [("webde", "gmx"), ("aol", "yahoo")])
def test_sister_providers_marks_are_their_own(provider: str, own: str) -> None:
    text = b"X-UI-Filterresults: junk:1\r\nX-YahooFilteredBulk: 192.0.2.1\r\n"

    found = {one["name"]: one["standing"] for one in facts(text, provider)["filters"]}

    assert found[own] == "receiver"
    assert sorted(found.values()) == ["claim", "receiver"]


def test_microsofts_organisation_fields_are_read() -> None:
    text = (
        "X-MS-Exchange-Organization-SCL: -1\nX-MS-Exchange-Organization-AuthAs: Internal\n"
        "X-MS-Exchange-Organization-AuthSource: EX1.corp.example\n"
        "X-MS-Exchange-Organization-BypassFocusedInbox: true\n"
        "X-MS-Exchange-Organization-Antispam-Report: DV:3.3.5705.600;SID:SenderIDStatus Fail\n"
        "X-MS-Exchange-Organization-PCL: 5\n"
        "X-MS-Exchange-Organization-Network-Message-Id: 3b4ccc5a-0000-4000-8000-08dc1\n"
        "X-MS-Exchange-Transport-EndToEndLatency: 00:00:02.5130000\nX-CustomSpam: Empty message\n"
    )

    found = only(text)["facts"]

    assert (found["scl"], found["auth_as"], found["latency_s"]) == (-1, "Internal", 2.513)
    assert found["bypass_focused_inbox"] is True
    assert (found["pcl"], found["network_message_id"][:8]) == (5, "3b4ccc5a")
    assert found["antispam_report"].startswith("DV:3.3")
    assert (found["custom_spam"], found["auth_source"]) == ("Empty message", "EX1.corp.example")


def test_who_handed_a_message_in_is_no_verdict_by_itself() -> None:
    assert facts(b"X-MS-Exchange-Organization-AuthAs: Anonymous\r\n", "")["filters"] == []
