"""IMAP syntax: what is right is understood, what is wrong is BAD and nothing worse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.imap_parse import (
    BadCommandError,
    NumberSet,
    compact,
    decode_folder,
    encode_folder,
    list_at,
    parse_arguments,
    parse_command,
    quoted,
    tag_of,
)


def test_a_command_is_split_into_tag_name_and_rest() -> None:
    command = parse_command(b"a1 uid fetch 1:* (FLAGS)\r\n")

    assert (command.tag, command.name, command.by_uid) == (b"a1", "FETCH", True)
    assert command.rest == b"1:* (FLAGS)"


@pytest.mark.parametrize("line", [b"", b"\r\n", b"a1", b"a1 ", b"(a) NOOP\r\n", b"a b\xffc d\r\n"])
def test_a_line_without_tag_or_name_is_bad(line: bytes) -> None:
    with pytest.raises(BadCommandError):
        parse_command(line)


def test_arguments_are_atoms_strings_literals_and_lists() -> None:
    text = b'INBOX "a \\"b\\" \\\\" {5}\r\n(x) y (\\Seen (a "b")) BODY[HEADER.FIELDS (TO CC)]<0.9>'

    assert parse_arguments(text) == [
        b"INBOX",
        b'a "b" \\',
        b"(x) y",
        [b"\\Seen", [b"a", b"b"]],
        b"BODY[HEADER.FIELDS (TO CC)]<0.9>",
    ]


@pytest.mark.parametrize(
    "text", [b"(", b")", b"(a", b'"a', b"{9}\r\nab", b"a {", b"(" * 50 + b")" * 50]
)
def test_broken_arguments_are_bad(text: bytes) -> None:
    with pytest.raises(BadCommandError):
        parse_arguments(text)


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_bad(raw: bytes) -> None:
    """Whatever a client sends, parsing ends in arguments or in BadCommandError."""
    try:
        parse_command(raw).arguments()
    except BadCommandError:
        assert tag_of(raw)


@given(st.binary(max_size=200))
def test_a_quoted_string_reads_as_what_was_quoted(text: bytes) -> None:
    assert parse_arguments(quoted(text)) == [text]


@given(st.text(max_size=60).filter(lambda t: t.isprintable()))
def test_a_folder_name_survives_modified_utf7(name: str) -> None:
    encoded = encode_folder(name)

    assert (encoded.isascii(), decode_folder(encoded)) == (True, name)


@pytest.mark.parametrize(
    ("name", "encoded"), [("Entwürfe", b"Entw&APw-rfe"), ("A&B", b"A&-B"), ("台北", b"&U,BTFw-")]
)
def test_folder_names_are_encoded_as_in_rfc_3501(name: str, encoded: bytes) -> None:
    assert (encode_folder(name), decode_folder(encoded)) == (encoded, name)


@given(st.binary(max_size=60))
def test_a_broken_folder_name_is_kept_in_some_form(name: bytes) -> None:
    assert isinstance(decode_folder(name), str)


@given(st.sets(st.integers(min_value=1, max_value=300)))
def test_a_compacted_set_holds_the_same_numbers(numbers: set[int]) -> None:
    text = compact(sorted(numbers))

    found = {n for n in range(1, 301) if text and n in NumberSet(text, 300)}
    assert found == numbers


def test_a_star_is_the_last_number_and_ranges_may_run_backwards() -> None:
    numbers = NumberSet(b"7,*:9,2:1", 12)

    assert numbers.ranges == [(1, 2), (7, 7), (9, 12)]


@pytest.mark.parametrize("text", [b"", b"0", b"1:", b"a", b"1,,2", b"1:2:3", b"-1", b"1;2"])
def test_what_is_no_number_set_is_bad(text: bytes) -> None:
    with pytest.raises(BadCommandError):
        NumberSet(text, 9)


def test_a_missing_list_is_bad() -> None:
    with pytest.raises(BadCommandError):
        list_at([b"a"], 0)
