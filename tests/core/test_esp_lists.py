"""Seed lists as mail services import and export them."""

import csv
import io

import pytest

from monitor.core.errors import BadInputError
from monitor.core.esp_lists import (
    SHAPES,
    difference,
    read_esp_list,
    shuffled,
    write_esp_list,
)

SEEDS = [f"seed{n}@mail{n % 3}.example" for n in range(30)]


@pytest.mark.parametrize("service", SHAPES)
def test_what_we_write_for_a_service_we_can_read_back(service: str) -> None:
    written = write_esp_list(SEEDS, SHAPES[service])
    rows = list(csv.reader(io.StringIO(written)))
    assert {len(row) for row in rows} == {len(SHAPES[service].columns)}
    read = read_esp_list(written.encode())
    assert (read.addresses, read.problems) == (tuple(SEEDS), ())


def test_the_order_is_mixed_and_the_same_for_a_version() -> None:
    once = shuffled(SEEDS, name="default", version=3)
    assert once == shuffled(reversed(SEEDS), name="default", version=3)
    assert once != shuffled(SEEDS, name="default", version=4)
    assert once != SEEDS
    assert sorted(once) == sorted(SEEDS)


@pytest.mark.parametrize("address", ["=cmd|x@mail.example", "+1@mail.example", "-a@mail.example"])
def test_an_address_that_a_spreadsheet_would_run_is_refused(address: str) -> None:
    with pytest.raises(BadInputError, match="spreadsheet"):
        write_esp_list([address], SHAPES["sendgrid"])


@pytest.mark.parametrize(
    ("file", "column"),
    [
        (b"Email Address,First Name\r\na@x.example,A\r\nb@x.example,B\r\n", "'Email Address'"),
        (b"\xef\xbb\xbfFIRSTNAME;E-Mail;SMS\na;a@x.example;1\nb;b@x.example;2\n", "'E-Mail'"),
        (b"id\temailAddress\n1\ta@x.example\n2\tb@x.example\n", "'emailAddress'"),
        (b"id,contact\n1,a@x.example\n2,b@x.example\n", "'contact'"),
        (b"a@x.example\nb@x.example\n", "number 1"),
        (b"1,a@x.example\n2,b@x.example\n", "number 2"),
        (b'owner,email\nme@x.example,a@x.example\nme@x.example,"b@x.example"\n', "'email'"),
    ],
)
def test_the_column_of_addresses_is_found_by_name_or_by_content(file: bytes, column: str) -> None:
    read = read_esp_list(file)
    assert read.column == column
    assert read.addresses == ("a@x.example", "b@x.example")


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        (b"", "no row"),
        (b"\n\n", "no row"),
        (b"name,age\nanna,3\n", "no column holds addresses"),
        (b"email\n\0", "NUL"),
        (b'email\n"a@x.example\n', "cannot be read"),
        (b"email\nanna\n", "'anna' is not a mail address"),
        (b"x" * 10_000_001, "Split it"),
        (b"email\n" + b"x" * 200_000, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said_and_never_raised(file: bytes, complaint: str) -> None:
    assert complaint in read_esp_list(file).problems[0].message


def test_problems_are_few_even_in_a_long_file() -> None:
    assert len(read_esp_list(b"email\n" + b"nobody\n" * 5000).problems) <= 100


def test_lists_differ_by_what_only_one_of_them_has_whatever_its_case() -> None:
    found = difference(["a@x.example", "b@x.example"], ["B@X.example", "c@x.example"])
    assert (found.missing, found.extra) == (("a@x.example",), ("c@x.example",))
