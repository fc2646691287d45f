"""The summary of a header block, and that no header breaks it."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.evidence import authres, fields, forefront, hops
from monitor.evidence.facts import facts


def message(name: str) -> str:
    return (Path(__file__).with_name("messages") / f"{name}.eml").read_text("utf-8")


GMAIL = message("gmail")


def read(text: str) -> dict[str, Any]:
    found = facts(text.replace("\n", "\r\n").encode(), "")
    assert json.loads(json.dumps(found)) == found
    return found


@pytest.mark.parametrize(
    "text", [message(n) for n in ("microsoft365", "yahoo", "icloud", "gmx", "corporate", "rspamd")]
)
def test_every_summary_has_the_same_parts(text: str) -> None:
    assert list(read(text)) == [
        *(
            "receiver",
            "authentication",
            "authentication_claimed",
            "filters",
            "hops",
            "transit_s",
            "contaminated",
        ),
        *("arc", "unknown"),
    ]


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
    started = time.thread_time()  # others may be at work on this machine

    facts(raw * (fields.MAX_BYTES // len(raw)), "")

    assert time.thread_time() - started < 3
