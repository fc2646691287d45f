"""Seed lists as people and spreadsheets write them."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import seedlist
from monitor.core.seedlist import Problem, read_seed_list, write_seed_list
from monitor.core.seeds import Security, SeedEntry

HEADER = "address,provider,region,username,password,host,port,security,reader,tenant"


def messages(data: bytes) -> list[str]:
    return [problem.message for problem in read_seed_list(data).problems]


def test_a_full_row_becomes_a_seed() -> None:
    row = "A.One@Example.COM,gmail,eu,login,s3cret,imap.example.com,993,tls,imap+graph,acme"
    file = read_seed_list(f"{HEADER}\n{row}\n".encode())

    assert file.problems == ()
    assert file.encoding == "utf-8"
    assert file.entries == (
        SeedEntry(
            address="A.One@example.com",
            provider="gmail",
            region="eu",
            username="login",
            password="s3cret",
            host="imap.example.com",
            port=993,
            security=Security.TLS,
            reader="imap+graph",
            tenant="acme",
        ),
    )


def test_one_column_of_addresses_is_a_seed_list() -> None:
    """SparkPost names its only column "Seed Address"."""
    file = read_seed_list(b"Seed Address\na@example.com\nb@example.com\n")

    assert file.problems == ()
    assert [(e.address, e.provider, e.reader) for e in file.entries] == [
        ("a@example.com", "", "imap"),
        ("b@example.com", "", "imap"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfaddress,region\r\na@example.com,eu\r\n",
        b"address;region\na@example.com;eu",
        b"address\tregion\r\na@example.com\teu\r\n",
        b"ADDRESS , Region\n a@example.com , eu \n",
        b'"address","region"\n"a@example.com","eu"\n',
        b"\n\naddress,region\n\na@example.com,eu\n,\n",
        b"region,address\reu,a@example.com\r",
    ],
    ids=["bom and crlf", "semicolons", "tabs", "case and blanks", "quotes", "blank lines", "cr"],
)
def test_any_spreadsheet_s_csv_is_understood(data: bytes) -> None:
    file = read_seed_list(data)

    assert file.problems == ()
    assert [(e.address, e.region) for e in file.entries] == [("a@example.com", "eu")]


def test_latin_1_is_assumed_and_said_where_utf_8_fails() -> None:
    file = read_seed_list("address,region\na@example.com,Zürich\n".encode("latin-1"))

    assert file.encoding == "latin-1"
    assert file.entries[0].region == "Zürich"


def test_a_domain_is_kept_in_ascii() -> None:
    file = read_seed_list("address\na@bücher.example\n".encode())

    assert file.entries[0].address == "a@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("nobody", "exactly one @"),
        ("a@b@example.com", "exactly one @"),
        ("a b@example.com", "odd part before the @"),
        (".a@example.com", "odd part before the @"),
        ("jürgen@example.com", "odd part before the @"),
        ("a@localhost", "no complete domain"),
        ("a@-bad-.example", "no valid domain name"),
        ("a@example..com", "no valid domain name"),
        ("a@", "no valid domain name"),
        ("x" * 65 + "@example.com", "more than 64 characters"),
        ("a@" + "b." * 130 + "com", "no valid domain name"),
        ("", "exactly one @"),
    ],
)
def test_a_bad_address_names_its_line_column_value_and_remedy(address: str, problem: str) -> None:
    file = read_seed_list(f"address,region\nfine@example.com,eu\n{address},us\n".encode())

    assert [e.address for e in file.entries] == ["fine@example.com"]
    assert [p.line for p in file.problems] == [3]
    assert file.problems[0].message.startswith(f"address: {address[:80]!r}")
    assert problem in file.problems[0].message


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("port", "70000", "from 1 to 65535"),
        ("port", "imap", "from 1 to 65535"),
        ("security", "tsl", "Did you mean 'tls'?"),
        ("host", "imap example", "no valid domain name"),
        ("reader", "imap graph", "not a plain word"),
        ("provider", "gm\u200bail", "control characters"),
        ("region", "x" * 65, "too long"),
    ],
)
def test_a_bad_cell_names_its_column_and_value(column: str, value: str, problem: str) -> None:
    (message,) = messages(f"address,{column}\na@example.com,{value}\n".encode())

    assert message.startswith(f"{column}: {value!r} ")
    assert problem in message


def test_a_provider_or_reader_that_nobody_knows_is_a_problem_where_they_are_known() -> None:
    data = b"address,provider,reader\na@example.com,gmial,imap\nb@example.com,gmail,pop\n"
    file = read_seed_list(data, providers={"gmail", "yahoo"}, readers={"imap"})

    assert file.problems == (
        Problem(2, "provider: 'gmial' is not known. Did you mean 'gmail'?"),
        Problem(3, "reader: 'pop' is not known. Known are: imap."),
    )


@pytest.mark.parametrize("reader", ["gmail", "graph"])
def test_a_reader_over_http_needs_somebody_to_let_it_in(reader: str) -> None:
    (message,) = messages(f"address,reader\na@example.com,{reader}\n".encode())

    assert f"is empty, but {reader} needs one" in message
    assert messages(f"address,reader,oauth\na@example.com,{reader},mine\n".encode()) == []


def test_a_graph_reader_needs_a_tenant() -> None:
    (message,) = messages(b"address,reader\na@example.com,imap+graph\n")

    assert message == "tenant: '' is empty, but imap+graph needs one. Name a configured tenant."


def test_the_reader_of_files_needs_a_drop() -> None:
    (message,) = messages(b"address,reader\na@example.com,drop\n")
    assert message == "drop: '' is empty, but drop needs one. Name a configured drop."
    assert messages(b"address,reader,drop\na@example.com,drop,archive\n") == []


def test_a_second_line_for_the_same_mailbox_is_refused() -> None:
    file = read_seed_list(b"address\nA@example.com\na@EXAMPLE.com\n")

    assert len(file.entries) == 1
    assert file.problems == (
        Problem(3, "address: 'a@example.com' stands on line 2 already. Keep one."),
    )


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b" \r\n"])
def test_an_empty_file_is_said_to_be_empty(data: bytes) -> None:
    assert messages(data) == ["the list is empty. Write a header row and one seed a line."]


def test_a_header_without_seeds_is_said_to_have_none() -> None:
    assert messages(b"address,region\n") == [
        "the list has a header but no seed. Add one seed a line."
    ]


def test_a_missing_address_column_is_explained_without_showing_the_row() -> None:
    """The first row of a list without a header may hold a password."""
    (message,) = messages(b"a@example.com,gmail,eu,login,s3cret\n")

    assert message.startswith("column 'address' is missing.")
    assert "s3cret" not in message


def test_an_unknown_column_gets_the_nearest_name() -> None:
    file = read_seed_list(b"address,pasword\na@example.com,x\n")

    assert file.problems == (Problem(1, "column 'pasword' is not known. Did you mean 'password'?"),)


def test_a_column_that_stands_twice_is_a_problem() -> None:
    assert messages(b"address,region,region\na@example.com,eu,us\n") == [
        "column 'region' stands twice. Keep one."
    ]


@pytest.mark.parametrize(
    "row",
    [
        "a@example.com,s3cret,s3cret,s3cret",  # separators in the password
        "not-an-address,s3cret",
        "a@example.com,s3cret,s3cret",
        'a@example.com,"s3cret\x07",1,1',
        'a@example.com,"s3cret',
        'a@example.com,"s3cret"s3cret,1,1',
    ],
)
def test_no_problem_shows_a_password(row: str) -> None:
    problems = messages(f"address,password,port,region\n{row}\n".encode())

    assert problems
    assert "s3cret" not in " ".join(problems)


def test_a_password_is_kept_to_the_blank() -> None:
    file = read_seed_list(b'address,password\na@example.com," \'=x "\n')

    assert file.entries[0].password == " '=x "


def test_nul_bytes_are_not_csv() -> None:
    file = read_seed_list(b"address\na@exa\0mple.com\n")

    assert file.problems == (
        Problem(2, "a NUL byte: this is not a CSV file. Export it as CSV (UTF-8)."),
    )


def test_too_many_bytes_are_refused_unread() -> None:
    file = read_seed_list(b"x" * (seedlist.MAX_BYTES + 1))

    assert file.entries == ()
    assert file.problems[0].message.startswith("the file has 10000001 bytes.")


def test_too_many_rows_stop_the_reading() -> None:
    rows = "\n".join(f"s{n}@example.com" for n in range(seedlist.MAX_ROWS + 5))
    file = read_seed_list(f"address\n{rows}\n".encode())

    assert len(file.entries) == seedlist.MAX_ROWS
    assert [p.message.split(":")[0] for p in file.problems] == ["reading stopped here"]


def test_a_hostile_file_makes_few_problems() -> None:
    file = read_seed_list(b"address\n" + b"x\n" * 100_000)

    assert len(file.problems) == seedlist.MAX_PROBLEMS + 1


def test_a_quote_left_open_is_a_problem_of_its_line() -> None:
    file = read_seed_list(b'address,region\na@example.com,eu\nb@example.com,"us\n')

    assert [e.address for e in file.entries] == ["a@example.com"]
    assert file.problems[0].line == 3
    assert "Check its quotes" in file.problems[0].message


def test_an_export_has_no_password_and_no_formula() -> None:
    entry = SeedEntry("=cmd@example.com", "gmail", region="+eu", password="s3cret", port=143)

    assert write_seed_list([entry]) == (
        "address,provider,region,username,host,port,security,reader,tenant,oauth,drop\r\n"
        "'=cmd@example.com,gmail,'+eu,,,143,,imap,,,\r\n"
    )


words = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
texts = st.text(
    st.characters(exclude_categories=["C", "Z"]) | st.sampled_from("'=+-@,;\"#"), max_size=20
)
entries = st.builds(
    SeedEntry,
    address=st.builds("{}@{}.example".format, st.text("ab'=+-1", min_size=1, max_size=10), words),
    provider=words,
    region=texts,
    username=texts,
    password=texts,
    host=st.just("") | st.builds("{}.example".format, words),
    port=st.integers(0, 65535),
    security=st.none() | st.sampled_from(Security),
    reader=words,
    tenant=texts,
)


@given(st.lists(entries, min_size=1, max_size=8, unique_by=lambda e: e.address.casefold()))
def test_what_is_exported_can_be_imported_again(seeds: list[SeedEntry]) -> None:
    file = read_seed_list(write_seed_list(seeds).encode())

    assert file.problems == ()
    assert [repr(entry) for entry in file.entries] == [repr(seed) for seed in seeds]
    assert all(entry.password == "" for entry in file.entries)


@given(st.binary(max_size=300) | st.text("address,;\t\"\r\n@='x.", max_size=300).map(str.encode))
def test_no_bytes_make_the_reader_raise(data: bytes) -> None:
    for prefix in (b"", b"address,password,port\n"):
        file = read_seed_list(prefix + data)

        assert file.entries or file.problems
