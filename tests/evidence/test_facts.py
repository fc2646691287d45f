"""What headers tell, receiver by receiver: shaped as they are really written."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.evidence import authres, fields, forefront, hops
from monitor.evidence.facts import facts

GMAIL = """\
Delivered-To: seed@gmail.com
Received: by 2002:a05:6a20:1234:b0:1 with SMTP id abc; Mon, 2 Mar 2026 00:00:06 -0800 (PST)
X-Received: by 2002:a17:90a:1 with SMTP id d; Mon, 02 Mar 2026 00:00:05 -0800 (PST)
ARC-Authentication-Results: i=1; mx.google.com;
       dkim=pass header.i=@shop.example.com;
       spf=pass (google.com: domain of bounce@shop.example.com designates 192.0.2.7 as
       permitted sender) smtp.mailfrom=bounce@shop.example.com;
       arc=none
Return-Path: <bounce@shop.example.com>
Received: from out.shop.example.com (out.shop.example.com. [192.0.2.7])
        by mx.google.com with ESMTPS id x1
        for <seed@gmail.com>
        (version=TLS1_3); Mon, 02 Mar 2026 00:00:05 -0800 (PST)
Received-SPF: pass (google.com: domain of bounce@shop.example.com designates 192.0.2.7)
Authentication-Results: mx.google.com;
       dkim=pass header.i=@shop.example.com header.s=s1;
       dkim=fail header.i=@esp.example;
       spf=softfail (google.com: x) smtp.mailfrom=bounce@shop.example.com;
       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=shop.example.com
DKIM-Signature: v=1; a=rsa-sha256; d=shop.example.com
Authentication-Results: mx.google.com; spf=pass; dmarc=fail; compauth=pass reason=100
Received: from app (app.shop.example.com [192.0.2.9])
        by out.shop.example.com (Postfix) with ESMTP id 1; Mon, 2 Mar 2026 09:00:00 +0100 (CET)
From: shop@shop.example.com
"""

MICROSOFT365 = """\
Received: from A1.namprd10.prod.outlook.com (2603:10b6:408:1::1) by
 B1.namprd10.prod.outlook.com with HTTPS; Mon, 2 Mar 2026 08:00:09 +0000
Received: from C1.eop-nam10.prod.protection.outlook.com (2603:10b6:a03:1::9) by
 A1.outlook.office365.com (2603:10b6:a03:2::3) with Microsoft SMTP Server via Frontend
 Transport; Mon, 2 Mar 2026 08:00:07 +0000
Authentication-Results: spf=pass (sender IP is 192.0.2.7)
 smtp.mailfrom=shop.example.com; dkim=pass (signature was verified)
 header.d=shop.example.com;dmarc=bestguesspass action=none
 header.from=shop.example.com;compauth=softpass reason=201
Received-SPF: Pass (protection.outlook.com: domain of shop.example.com designates 192.0.2.7)
Received: from fake.prod.outlook.com (192.0.2.7) by
 C1.mail.protection.outlook.com (10.167.0.1) with Microsoft SMTP Server; Mon, 2 Mar 2026
 08:00:05 +0000
Authentication-Results: spf=fail; dkim=fail; dmarc=fail; compauth=fail reason=000
Authentication-Results-Original: spf=temperror
X-Forefront-Antispam-Report-Untrusted: SFV:SKN;SCL:-1
From: shop@shop.example.com
X-MS-Exchange-Organization-SCL: 9
X-Microsoft-Antispam: BCL:3;ARA:13230040
X-Forefront-Antispam-Report:
 CIP:2001:db8::7;CTRY:DE;LANG:en;SCL:5;SRV:;IPV:NLI;SFV:SPM;H:out.shop.example.com;PTR:;
 CAT:HPHISH;SFS:(13230040);DIR:INB;
X-Microsoft-Antispam-Mailbox-Delivery:
 ucf:0;jmr:0;auth:0;dest:J;OFR:SpamFilterAuthJ;ENG:(1);RF:JunkEmail;
"""

YAHOO = """\
X-Apparently-To: seed@yahoo.com; Mon, 02 Mar 2026 08:00:06 +0000
X-YahooFilteredBulk: 192.0.2.7
X-YMailISG: abc
Received: from 10.222.1.1
 by atlas-production.v2-mail-prod1-gq1.omega.yahoo.com pod-id x with HTTPS;
 Mon, 2 Mar 2026 08:00:06 +0000
Authentication-Results: atlas-production.v2-mail-prod1-gq1.omega.yahoo.com;
 dkim=pass header.i=@shop.example.com header.s=s1;
 spf=pass smtp.mailfrom=bounce.shop.example.com;
 dmarc=success(p=REJECT) header.from=shop.example.com;
Received: from 192.0.2.7 (EHLO out.shop.example.com)
 by 10.196.1.1 with SMTPs; Mon, 02 Mar 2026 08:00:05 +0000
Authentication-Results: forged.example; arc=pass
"""

ICLOUD = """\
Received: from st43p00im-ztfb.me.com by p44-mailgateway-smtp-7 (mailgateway 2403B92)
 with SMTP id d8 for <seed@icloud.com>; Mon, 2 Mar 2026 08:00:09 GMT
X-Apple-MoveToFolder: Junk
X-Apple-Action: MOVE_TO_FOLDER/JUNK
Received: from out.shop.example.com (out.shop.example.com [192.0.2.7])
 by st43p00im-ztfb.me.com (Postfix) with ESMTPS id EC
 for <seed@icloud.com>; Mon, 2 Mar 2026 08:00:03 +0000 (UTC)
X-ICL-SCORE: 4.333033230041
Authentication-Results: bimi.icloud.com; bimi=skipped reason="insufficient dmarc"
X-ARC-Info: policy=fail; arc=none
Authentication-Results: arc.icloud.com; arc=none
Authentication-Results: dmarc.icloud.com; dmarc=pass header.from=shop.example.com
X-DMARC-Info: pass=pass; dmarc-policy=quarantine
Authentication-Results: dkim-verifier.icloud.com;
 dkim=pass (1024-bit key) header.d=shop.example.com
Authentication-Results: spf.icloud.com; spf=fail (spf.icloud.com: x) smtp.mailfrom=a@b.example
Received-SPF: fail (spf.icloud.com: domain of a@b.example does not designate) client-ip=192.0.2.7
Received-SPF: pass (mx.other.example: x)
From: shop@shop.example.com
Authentication-Results: spf.icloud.com; spf=pass
"""

GMX = """\
Received: from out.shop.example.com ([192.0.2.7]) by mx-ha.gmx.net (mxgmx017 [212.227.15.9])
 with ESMTPS (Nemesis) id 1; Mon, 02 Mar 2026 09:00:05 +0100
X-UI-Filterresults: junk:10;V03:K0:abc;
X-Spam-Flag: YES
"""

CORPORATE = """\
Authentication-Results: mx.corp.example; spf=pass smtp.mailfrom=shop.example.com; dkim=none
X-Spam-Flag: YES
X-Spam-Status: Yes, score=7.1 required=5.0 tests=BAYES_99,URIBL_BLACK=1.7,
\tHTML_MESSAGE autolearn=no version=4.0.1
Received: from out.shop.example.com (unknown [192.0.2.7])
 by mx.corp.example (Postfix) with ESMTP id 1; Mon, 2 Mar 2026 08:00:05 +0000
"""

RSPAMD = """\
Received: from localhost (localhost [127.0.0.1]) by mail.corp.example with LMTP id 2;
 Mon, 2 Mar 2026 08:00:06 +0000
Authentication-Results: mail.corp.example; dkim=pass header.d=shop.example.com; dmarc=pass
X-Rspamd-Action: add header
X-Spamd-Result: default: False [6.10 / 15.00];
\tBAYES_SPAM(5.10)[100.00%];
\tR_SPF_ALLOW(-0.20)[+ip4:192.0.2.0/24:c];
\tURL_X(1.20)[lnk.example.net:url,A(9.00)]
X-Spam: Yes
Received: from out.shop.example.com (out.shop.example.com [192.0.2.7])
 by mail.corp.example (Postfix) with ESMTPS id 1; Mon, 2 Mar 2026 08:00:05 +0000
"""


def read(text: str, provider: str = "") -> dict[str, Any]:
    found = facts(text.replace("\n", "\r\n").encode(), provider)
    assert json.loads(json.dumps(found)) == found
    return found


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


def test_microsofts_report_is_read() -> None:
    one = only_filter(MICROSOFT365)

    assert one["name"] == "microsoft"
    assert one["judged"] == "phish"
    assert one["meaning"] == "Microsoft's filter took it for phish (CAT HPHISH, SFV SPM, SCL 5)."
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
    }
    assert only_filter(CORPORATE)["meaning"] == (
        "SpamAssassin took it for spam, at 7.1 of the 5 that make spam points."
    )


def test_rspamds_symbols_have_their_scores() -> None:
    assert only_filter(RSPAMD)["facts"] == {
        "score": 6.1,
        "required": 15.0,
        "action": "add header",
        "symbols": {"BAYES_SPAM": 5.1, "R_SPF_ALLOW": -0.2, "URL_X": 1.2},
    }


def test_hops_are_told_in_the_order_of_travel() -> None:
    found = read(GMAIL)

    assert [(hop["from"], hop["by"], hop["delay_s"]) for hop in found["hops"]] == [
        ("app", "out.shop.example.com", None),
        ("out.shop.example.com", "mx.google.com", 5.0),
        (None, "2002:a05:6a20:1234:b0:1", 1.0),
    ]
    assert found["hops"][0]["at"] == "2026-03-02T08:00:00Z"
    assert found["transit_s"] == 6.0


def test_a_clock_that_runs_backwards_shows_as_it_is() -> None:
    text = (
        "Received: from b by c.example; Mon, 2 Mar 2026 08:00:05 +0000\n"
        "Received: from a by b.example; Mon, 2 Mar 2026 08:00:09 +0000\n"
    )

    assert [hop["delay_s"] for hop in read(text)["hops"]] == [None, -4.0]
    assert read(text)["transit_s"] == 0.0


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Mon, 99 Mar 2026 08:00:00", "1 Jan 99999 0:0:0 +0000", "; ;"]
)
def test_a_hop_without_a_time_is_still_a_hop(date: str) -> None:
    found = read(f"Received: from a.example by b.example; {date}\n")

    expected = {"from": "a.example", "by": "b.example", "at": None, "delay_s": None}
    assert found["hops"] == [expected]
    assert found["transit_s"] is None


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


def test_fields_that_look_like_verdicts_and_are_not_known_are_shown() -> None:
    text = "X-Acme-Spam-Verdict: maybe\nX-Spam-Flag: NO\nX-Mailer: y\n"

    assert read(text)["unknown"] == ["X-Acme-Spam-Verdict: maybe"]


def test_a_microsoft_report_that_says_nothing_is_shown_raw() -> None:
    assert read("X-Forefront-Antispam-Report: %%%\n")["unknown"] == [
        "X-Forefront-Antispam-Report: %%%"
    ]


def test_headers_in_broken_encodings_are_read_as_far_as_they_go() -> None:
    raw = b"X-Spam-Status: Yes, score=\xff\xfe9 required=5\r\nSubject: \xc3\x28\r\nX-\xe4: y\r\n"

    found = facts(raw, "")

    assert found["filters"][0]["judged"] == "spam"
    json.dumps(found)


def test_the_body_is_not_looked_at() -> None:
    assert read("Subject: x\n\nX-Spam-Status: Yes\n")["filters"] == []


WORDS = st.sampled_from(
    [
        *("Received: from a (b [1.2.3.4]) by c; ", "Authentication-Results: ", "i=1;"),
        *(
            "mx.google.com; spf=pass",
            "X-Forefront-Antispam-Report: ",
            "SCL:5;",
            "(",
            ")",
            '"',
            "\\",
        ),
        *(
            ";",
            "=",
            "\r\n",
            "\r\n ",
            "\0",
            "X-Spam-Status: Yes, ",
            "tests=",
            "; A(1)[",
            "by ",
            "from ",
        ),
        *(
            "X-Spamd-Result: default: True [1 / 2]",
            "Mon, 2 Mar 2026 08:00:00 +0000",
            "+9999",
            "\xff",
        ),
        "99999999999999999999",
    ]
)


@given(st.binary(max_size=2000))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    json.dumps(facts(raw, ""))


@given(st.lists(WORDS, max_size=60), st.sampled_from(["", "gmail", "icloud", "outlook", "x"]))
def test_no_header_block_makes_it_raise(words: list[str], provider: str) -> None:
    raw = "".join(words).encode("latin-1")
    json.dumps(facts(raw, provider))


@given(st.text(max_size=300))
def test_no_value_makes_a_parser_raise(value: str) -> None:
    authres.parse(value)
    forefront.pairs(value)
    hops.moment(value)
    fields.without_comments(value)


@pytest.mark.parametrize(
    "bit",
    [
        *(
            "(",
            ")",
            '"',
            "\\(",
            ";",
            "=",
            " ",
            "a",
            "a=",
            "by ",
            "from ",
            "[",
            "1.2.3.4",
            "spf=pass;",
        ),
        *("A(1)", "; A(1)", "tests=", "score=", "i=1; ", "SCL:5;", "\r\n ", "\r\n", "x: y\r\n"),
    ],
)
@pytest.mark.parametrize(
    "name", ["Received", "Authentication-Results", "X-Spam-Status", "X-Spamd-Result", "X-Acme-Spam"]
)
def test_time_grows_no_faster_than_the_header(name: str, bit: str) -> None:
    """A quarter of a megabyte of any bit is read within a second or so."""
    head = f"{name}: "
    raw = (head + bit * (fields.MAX_VALUE // len(bit)) + "\r\n").encode()
    started = time.monotonic()

    facts(raw * (fields.MAX_BYTES // len(raw)), "")

    assert time.monotonic() - started < 3
