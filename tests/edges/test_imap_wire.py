"""IMAP as bytes: what servers send, sense or not."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.mailboxes import imap_wire as wire
from monitor.mailboxes.folders import decode_name
from monitor.mailboxes.imap_wire import Fetched, Listed, Response


def test_a_status_has_its_code_and_words() -> None:
    parsed = wire.parse([b"S1 NO [AUTHENTICATIONFAILED] Invalid credentials"])

    assert parsed == Response("S1", "NO", code="AUTHENTICATIONFAILED", text="Invalid credentials")


def test_a_code_has_its_value() -> None:
    parsed = wire.parse([b"* ok [uidnext 42] Predicted next UID"])

    assert (parsed.word, parsed.code, parsed.value) == ("OK", "UIDNEXT", "42")


def test_a_server_s_words_are_made_fit_to_show() -> None:
    parsed = wire.parse([b"S1 NO a\x1b[31m b\xff\r " + b"x" * 1000])

    assert parsed.text == "a [31m b� " + "x" * 187 + "..."
    assert len(parsed.text) == wire.MAX_TEXT
    assert parsed.text.isprintable()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            b'* LIST (\\HasNoChildren \\Junk) "/" "[Gmail]/Spam"',
            Listed(b"[Gmail]/Spam", frozenset({"\\hasnochildren", "\\junk"}), "/"),
        ),
        (b"* LIST () NIL INBOX", Listed(b"INBOX", frozenset(), "")),
        (b'* LIST () "\\\\" "a\\"b"', Listed(b'a"b', frozenset(), "\\")),
        (b"* LIST nonsense", None),
        (b"* STATUS () NIL INBOX", None),
    ],
)
def test_a_folder_is_listed(line: bytes, expected: Listed | None) -> None:
    assert wire.listed(wire.parse([line])) == expected


def test_a_folder_s_name_may_come_as_a_literal() -> None:
    response = wire.parse([b'* LIST () "/" ', b'odd "name" (', b""])

    assert wire.listed(response) == Listed(b'odd "name" (', frozenset(), "/")


def test_a_message_is_fetched_with_its_literal() -> None:
    parts = [
        b'* 3 FETCH (UID 7 INTERNALDATE " 1-Mar-2026 23:30:00 -0100" BODY[HEADER.FIELDS ("TO" C)] ',
        b"Message-ID: <1@x>\r\n\r\n",
        b")",
    ]

    assert wire.fetched(wire.parse(parts)) == Fetched(
        uid=7,
        received_at=datetime(2026, 3, 2, 0, 30, tzinfo=UTC),
        section="BODY[HEADER.FIELDS (TO C)]",
        data=b"Message-ID: <1@x>\r\n\r\n",
    )


@pytest.mark.parametrize(
    ("line", "data"),
    [(b'* 3 FETCH (BODY[HEADER] "a" UID 7)', b"a"), (b"* 3 FETCH (UID 7 BODY[HEADER] NIL)", b"")],
)
def test_a_part_may_come_as_a_string_or_not_at_all(line: bytes, data: bytes) -> None:
    assert wire.fetched(wire.parse([line])) == Fetched(7, None, "BODY[HEADER]", data)


@pytest.mark.parametrize(
    "line",
    [
        b"* 3 FETCH (FLAGS (\\Seen))",
        b"* 3 FETCH",
        b"* 3 FETCH NIL",
        b"* 3 FETCH (UID 99999999999 BODY[HEADER] NIL)",
        b"* 3 FETCH (UID UID)",
        b"* 3 EXISTS",
    ],
)
def test_news_without_a_uid_is_no_message(line: bytes) -> None:
    assert wire.fetched(wire.parse([line])) is None


def test_found_uids_are_numbers_of_32_bits() -> None:
    response = wire.parse([b"* SEARCH 1 x 0 4294967295 4294967296 NIL \xb2"])

    assert wire.found_uids(response) == [1, 4294967295]


@pytest.mark.parametrize(
    "text", ["", "32-Mar-2026 00:00:00 +0000", "01-Foo-2026 00:00:00 +0000", "01-Mar-2026"]
)
def test_a_date_that_is_none_is_not_guessed(text: str) -> None:
    assert wire.internal_date(text) is None


@given(st.integers(0, 4_000_000_000), st.integers(-12 * 60, 14 * 60))
def test_every_internal_date_is_read_back(seconds: int, offset_min: int) -> None:
    moment = datetime.fromtimestamp(seconds, timezone(timedelta(minutes=offset_min)))
    sign, minutes = ("-", -offset_min) if offset_min < 0 else ("+", offset_min)
    day = wire.search_date(moment).decode()
    text = f"{day} {moment:%H:%M:%S} {sign}{minutes // 60:02d}{minutes % 60:02d}"

    assert wire.internal_date(text) == moment


@pytest.mark.parametrize(
    ("uids", "expected"),
    [([], b""), ([3], b"3"), ([9, 1, 2, 3, 7, 3], b"1:3,7,9")],
)
def test_uids_are_drawn_together(uids: list[int], expected: bytes) -> None:
    assert wire.uid_set(uids) == expected


def test_a_quoted_string_can_hold_no_second_command() -> None:
    assert wire.quoted('a"b\\c\r\nX LOGOUT\0') == b'"a\\"b\\\\cX LOGOUT"'


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"INBOX", "INBOX"),
        (b"Gel&APY-schte Objekte", "Gelöschte Objekte"),
        (b"&U,BTFw-", "台北"),
        (b"AT&-T", "AT&T"),
        (b"&broken", "&broken"),
        (b"&*-", "&*-"),
        (b"a\x07b\xff", "a�b�"),
    ],
)
def test_a_folder_s_name_is_decoded(raw: bytes, name: str) -> None:
    assert decode_name(raw) == name


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_no_bytes_make_the_parser_raise(parts: list[bytes]) -> None:
    for prefix in (b"", b"* ", b"* 1 FETCH (", b"* LIST (", b"* SEARCH ", b"S1 OK ["):
        response = wire.parse([prefix + parts[0], *parts[1:]] if parts else [prefix])
        wire.listed(response)
        wire.found_uids(response)
        wire.fetched(response)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", [b'"\\', b"[ ", b"(", b")", b'" ', b"[", b"a[b"])
def test_a_hostile_line_takes_no_more_than_seconds(piece: bytes) -> None:
    response = wire.parse([b"* 1 FETCH (" + piece * (500_000 // len(piece))])

    assert wire.fetched(response) is None


@given(st.binary(max_size=100))
def test_no_bytes_make_a_name_unreadable(raw: bytes) -> None:
    assert decode_name(raw).isprintable()


@pytest.mark.parametrize(
    ("line", "uids"),
    [
        (b'* ESEARCH (TAG "S5") UID ALL 2,10:12', [2, 10, 11, 12]),
        (b'* ESEARCH (TAG "S5") UID COUNT 2 ALL 3:1', [1, 2, 3]),
        (b'* ESEARCH (TAG "S5") UID', []),
        (b"* ESEARCH UID ALL", []),
        (b"* ESEARCH (TAG (x)) ALL 1:x,0:4,*,,7", [7]),
        (b"* SEARCH 4 2 x", [4, 2]),
    ],
)
def test_the_numbers_of_a_search_come_one_by_one_or_in_ranges(line: bytes, uids: list[int]) -> None:
    assert wire.found_uids(wire.parse([line])) == uids


def test_of_four_thousand_million_numbers_only_the_last_are_taken() -> None:
    """A hostile range must cost neither memory nor time."""
    uids = wire.found_uids(wire.parse([b"* ESEARCH UID ALL 1:3,1:4294967295"]))

    assert len(uids) == wire.MAX_FOUND
    assert (uids[0], uids[-1]) == (4294967295 - wire.MAX_FOUND + 1, 4294967295)


def test_an_extended_answer_says_which_command_it_answers() -> None:
    assert wire.parse([b'* ESEARCH (TAG "S5") UID ALL 2']).about == "S5"
    assert wire.parse([b"* ESEARCH (TAG) UID ALL 2"]).about == ""


@pytest.mark.parametrize(
    ("line", "own", "foreign"),
    [
        (b'* NAMESPACE (("" "/")) NIL NIL', [b""], []),
        (
            b'* NAMESPACE (("INBOX." ".")("" "/")) (("user." ".")) (("shared." ".") ("#p" NIL))',
            [b"INBOX.", b""],
            [b"user.", b"shared.", b"#p"],
        ),
        (b"* NAMESPACE", [], []),
        (b"* NAMESPACE x (y) ((NIL))", [], []),
    ],
)
def test_namespaces_are_told_apart(line: bytes, own: list[bytes], foreign: list[bytes]) -> None:
    assert wire.namespaces(wire.parse([line])) == (own, foreign)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            b'* STATUS "a b" (MESSAGES 5 UIDNEXT 7 UIDVALIDITY 99)',
            (b"a b", wire.Counts("99", 7, 5)),
        ),
        (b"* STATUS x (MESSAGES 5)", (b"x", None)),
        (b"* STATUS x ((MESSAGES) 5 UIDNEXT)", (b"x", None)),
        (b"* STATUS", (b"", None)),
    ],
)
def test_counts_are_understood_or_left(line: bytes, told: tuple[bytes, wire.Counts | None]) -> None:
    assert wire.counts(wire.parse([line])) == told
