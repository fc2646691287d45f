"""What filters say of a message, each in its own words."""

from pathlib import Path
from typing import Any

import pytest

from monitor.evidence.facts import facts


def message(name: str) -> str:
    return (Path(__file__).with_name("messages") / f"{name}.eml").read_text("utf-8")


MICROSOFT365 = message("microsoft365")
YAHOO = message("yahoo")
ICLOUD = message("icloud")
GMX = message("gmx")
CORPORATE = message("corporate")
RSPAMD = message("rspamd")


def read(text: str) -> dict[str, Any]:
    return facts(text.replace("\n", "\r\n").encode(), "")


def only_filter(text: str) -> dict[str, Any]:
    [one] = read(text)["filters"]
    assert isinstance(one, dict)
    return one


def test_microsofts_report_is_read() -> None:
    one = only_filter(MICROSOFT365)

    assert one["name"] == "microsoft"
    assert one["judged"] == "phish"
    assert one["meaning"] == "Microsoft's filter took it for phishing (CAT HPHISH, SFV SPM, SCL 5)."
    expected = {"scl": 5, "bcl": 3, "sfv": "SPM", "cat": "HPHISH", "cip": "2001:db8::7"}
    expected |= {"dest": "J", "ofr": "SpamFilterAuthJ", "contaminated": False, "dir": "INB"}
    assert {key: one["facts"][key] for key in expected} == expected


@pytest.mark.parametrize(
    ("report", "judged"),
    [
        ("CAT:BULK;SFV:SPM;SCL:6", "bulk"),
        ("CAT:SPM;SFV:NSPM", "spam"),
        ("CAT:PHSH;SCL:1", "phish"),
        ("CAT:MALW;SFV:NSPM", "malware"),
        ("CAT:NONE;SFV:NSPM;SCL:9", "clean"),
        ("CAT:;SFV:SPM;SCL:1", "spam"),
        ("SCL:5", "spam"),
        ("SCL:9", "spam"),
        ("SCL:1", "clean"),
        ("SCL:-1", "clean"),
        ("SCL:3", "unknown"),
        ("scl:5", "spam"),
        ("SCL:abc;SFV:", "unknown"),
        ("", "unknown"),
        (";;::;:x;SCL", "unknown"),
    ],
)
def test_microsofts_judgement_goes_by_category_then_verdict_then_score(
    report: str, judged: str
) -> None:
    assert only_filter(f"X-Forefront-Antispam-Report: {report}\n")["judged"] == judged


@pytest.mark.parametrize(
    ("header", "contaminated"),
    [
        *(
            (f"X-Forefront-Antispam-Report: SFV:{v};", True)
            for v in ("SKQ", "SFE", "SKA", "SKN", "SKI")
        ),
        *((f"X-Forefront-Antispam-Report: SFV:{v};", False) for v in ("NSPM", "SPM", "SKB", "")),
        ("X-Microsoft-Antispam-Mailbox-Delivery: dest:I;OFR:TrustedSenderList;", True),
        ("X-Microsoft-Antispam-Mailbox-Delivery: dest:C;OFR:CustomRules;", True),
        ("X-Microsoft-Antispam-Mailbox-Delivery: dest:J;OFR:SpamFilterAuthJ;", False),
        ("X-Microsoft-Antispam-Mailbox-Delivery: dest:I;OFR:SpamFilterPass;", False),
        ("X-Microsoft-Antispam-Mailbox-Delivery: dest:I;OFR:;", False),
        ("X-Microsoft-Antispam-Mailbox-Delivery: dest:I;", False),
    ],
)
def test_a_placement_by_lists_or_rules_is_contaminated(header: str, contaminated: bool) -> None:
    found = read(header + "\n")

    assert found["contaminated"] is contaminated
    assert found["filters"][0]["facts"]["contaminated"] is contaminated


def test_the_score_of_the_organisation_counts_where_there_is_no_report() -> None:
    text = "X-MS-Exchange-Organization-SCL: 6\nX-Microsoft-Antispam-Mailbox-Delivery: dest:J;\n"

    assert only_filter(text)["facts"]["scl"] == 6
    assert only_filter(text)["judged"] == "spam"


@pytest.mark.parametrize(
    ("text", "name", "judged"),
    [
        (YAHOO, "yahoo", "spam"),
        (YAHOO.replace("X-YahooFilteredBulk: 192.0.2.7\n", ""), "yahoo", "clean"),
        (ICLOUD, "icloud", "spam"),
        (ICLOUD.replace("Folder: Junk", "Folder: INBOX"), "icloud", "clean"),
        (GMX, "gmx", "spam"),
        (GMX.replace("junk:10", "notjunk:1"), "gmx", "clean"),
        (GMX.replace("junk:10", "unknown:2"), "gmx", "unknown"),
        ("X-Gm-Spam: 1\nX-Gm-Phishy: 0\n", "gmail", "spam"),
        ("X-Gm-Spam: 0\nX-Gm-Phishy: 1\n", "gmail", "phish"),
        ("X-Gm-Spam: 0\n", "gmail", "clean"),
        ("X-Pm-Spamscore: 7\nX-Pm-Spam-Action: spam\n", "proton", "spam"),
        ("X-Pm-Spamscore: 0\n", "proton", "clean"),
        (CORPORATE, "spamassassin", "spam"),
        ("X-Spam-Status: No, hits=-0.2 required=5.0\n", "spamassassin", "clean"),
        (RSPAMD, "rspamd", "spam"),
        ("X-Rspamd-Action: no action\nX-Spam-Status: No, score=1\n", "rspamd", "clean"),
        ("X-Rspamd-Action: greylist\n", "rspamd", "clean"),
        ("X-Rspamd-Action: rewrite subject\n", "rspamd", "spam"),
        ("X-Spamd-Result: default: True [15.10 / 15.00]\n", "rspamd", "spam"),
        ("X-Spamd-Result: garbage\n", "rspamd", "unknown"),
    ],
)
def test_other_filters_marks_are_read(text: str, name: str, judged: str) -> None:
    one = only_filter(text)

    assert (one["name"], one["judged"]) == (name, judged)


def test_spamassassins_numbers_are_numbers() -> None:
    assert only_filter(CORPORATE)["facts"] == {
        "score": 7.1,
        "required": 5.0,
        "symbols": {"BAYES_99": None, "URIBL_BLACK": 1.7, "HTML_MESSAGE": None},
        "version": "4.0.1",
    }
    assert only_filter(CORPORATE)["meaning"] == (
        "SpamAssassin took it for spam (7.1 points; 5 make spam)."
    )


def test_rspamds_symbols_have_their_scores() -> None:
    assert only_filter(RSPAMD)["facts"] == {
        "score": 6.1,
        "required": 15.0,
        "action": "add header",
        "symbols": {"BAYES_SPAM": 5.1, "R_SPF_ALLOW": -0.2, "URL_X": 1.2},
    }


def test_fields_that_look_like_verdicts_and_are_not_known_are_shown() -> None:
    text = "X-Acme-Spam-Verdict: maybe\nX-Spam-Flag: NO\nX-Mailer: y\n"

    assert read(text)["unknown"] == ["X-Acme-Spam-Verdict: maybe"]


def test_a_microsoft_report_that_says_nothing_is_shown_raw() -> None:
    assert read("X-Forefront-Antispam-Report: %%%\n")["unknown"] == [
        "X-Forefront-Antispam-Report: %%%"
    ]
