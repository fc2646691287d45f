"""Lists of recipients: counted by domain, whatever stands in them."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.audience_file import MAX_LINE, bounded_lines, checked_counts, read_audience
from monitor.core.errors import BadInputError


def read(text: str) -> dict[str, int]:
    lines = bounded_lines(text.splitlines(keepends=True), name="list.csv")
    return dict(read_audience(lines, name="list.csv").domains)


@pytest.mark.parametrize(
    "text",
    [
        "address\nanna@a.example\nbert@A.Example\nc@b.example\n",
        "name;E-Mail\nAnna;anna@a.example\nBert;<bert@a.example>\nC;c@b.example\n",
        "anna@a.example\nbert@a.example\nc@b.example\n",
        "\n\nAnna <anna@a.example>\tx\nbert@a.example\ty\nc@b.example\tz\n",
        "domain,count\na.example,2\nb.example,1\n",
        "a.example,2\nb.example,1\n",
        "Recipients,Mail domain\n1,a.example.\n1,A.EXAMPLE\n1,b.example\n",
        '"address","note"\n"anna@a.example","x, y"\nbert@a.example,\nc@b.example,""\n',
    ],
)
def test_addresses_or_domains_with_counts_are_counted_alike(text: str) -> None:
    assert read(text) == {"a.example": 2, "b.example": 1}


def test_lines_that_name_nobody_are_counted_and_named_by_number_only() -> None:
    text = "email\nanna@a.example\nnobody\n@a.example\na@b@c.example\nx@localhost\n x@y z\n=1+1\n"
    found = read_audience(text.splitlines(keepends=True), name="list.csv")
    assert (found.recipients, found.skipped, found.first_skipped) == (1, 6, [3, 4, 5, 6, 7])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column of addresses"),
        ("name,town\nAnna,Rome\n", "has no column of addresses"),
        ("domain\na.example\n", "has no column of addresses"),
        ("email\nnobody\n", "names no recipient"),
        (
            "domain,count\na.example,-1\na.example,1.5\na.example,99999999999\n",
            "names no recipient",
        ),
        ("email\n" + "x" * (MAX_LINE + 1), "line that is too long"),
        ("email\nanna@a.example\0\n", "is not a text file"),
        ('email\n"' + "anna@a.example\n" * 20_000, "cannot be read at line"),
    ],
)
def test_what_is_no_list_is_refused_and_no_address_is_shown(text: str, words: str) -> None:
    with pytest.raises(BadInputError, match=words) as refused:
        read(text)
    assert "anna" not in str(refused.value)


@settings(max_examples=30)
@given(st.lists(st.text(max_size=30), max_size=6))
def test_whatever_a_file_holds_it_is_counted_or_refused(lines: Sequence[str]) -> None:
    try:
        found = read("\n".join(lines))
    except BadInputError:
        return
    assert all(count > 0 or count == 0 for count in found.values())


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, "name no recipient"),
        ({"a.example": 0}, "name no recipient"),
        ({"a.example": True}, "is no count"),
        ({"a.example": "7"}, "is no count"),
        ({"a.example": -1}, "is no count"),
        ({"a.example": 10**12}, "is no count"),
        ({"localhost": 1}, "is no domain"),
        ({"anna@a.example": 1}, "is no domain"),
        ({f"{n}.example": 1 for n in range(200_001)}, "more than 200000"),
    ],
)
def test_counts_from_outside_are_checked(counts: dict[object, object], words: str) -> None:
    with pytest.raises(BadInputError, match=words) as refused:
        checked_counts(counts)
    assert "anna" not in str(refused.value)


def test_counts_of_one_domain_in_two_spellings_are_one() -> None:
    assert checked_counts({"A.example": 1, "a.example.": 2}).domains == {"a.example": 3}
