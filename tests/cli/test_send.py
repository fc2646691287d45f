"""`seedwatch test send`: what cannot be sent is refused before anything is written."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.event import listen, remove
from sqlmodel import Session, SQLModel, select

from monitor.core.errors import BadInputError
from monitor.core.routes import About
from monitor.evidence.eml import MAX_BYTES, MAX_NAME, read_campaign
from monitor.store.route_tables import RouteRow
from monitor.store.tables import CampaignRow, CopyRow, OrganisationRow, SenderRow, TestRow
from monitor.store.verdict_tables import AlertRow
from tests.cli.typed import EML, listed, refused, run

BODY = b"\r\n\r\nRead https://news.example.org/march\r\n"


def written(session: Session) -> dict[str, int]:
    tables: list[type[SQLModel]] = [SenderRow, CampaignRow, RouteRow, TestRow]
    return {table.__name__: len(session.exec(select(table)).all()) for table in tables}


NOTHING = {"SenderRow": 0, "CampaignRow": 0, "RouteRow": 0, "TestRow": 0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--mail-from", "nobody"), ("--mail-from", "'nobody'", "Write it as name@example.com")),
        (("--mail-from", "a b@c.example"), ("--mail-from", "is not a mail address")),
        (("--alert-to", "me@"), ("--alert-to", "'me@'", "Write it as name@example.com")),
        (("--key", "k" * 201), ("--key", "is too long", "below 201")),
        (("--key", "a\x07b"), ("--key", "cannot be shown")),
        (("--list", "l" * 101), ("--list", "is too long", "below 101")),
        (("--esp", "e" * 101), ("--esp", "is too long")),
        (("--key", "k", "--every", "every 2h"), ("--key", "means nothing with --every")),
        (("--every", "when it rains"), ("schedule", "when it rains", "daily 09:00")),
    ],
)
def test_what_is_typed_wrong_is_refused_before_anything_is_written(
    seeded: str, letter: str, session: Session, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert refused(run("test", "send", letter, "--config", seeded, *options), *words)
    assert written(session) == NOTHING


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (b"From: =?utf-8?q?a=00b?= <a@b.example>\r\nSubject: s", ("from_name", "control")),
        (b"From: =?utf-8?q?a=1Bb?= <a@b.example>\r\nSubject: s", ("from_name", "control")),
        (b"From: n <a\xff@b.example>\r\nSubject: s", ("From", "is not a mail address")),
        (b"From: n <a@b_c.example>\r\nSubject: s", ("From", "is not a mail address")),
        (b"From: " + b"(" * 3000 + b"\r\nSubject: s", ("message", "cannot be understood")),
        (b"From: " + b"<" * 3000 + b"\r\nSubject: s", ("From",)),
        (b"From: " + b"x" * 20_000 + b"\r\nSubject: s", ("From", "is too long")),
        (b"From: " + b"x" * 300 + b" <a@b.example>\r\nSubject: s", ("From", "200 characters")),
        (b"From: n <a@b.example>\r\nSubject: " + b"s " * 1000, ("subject", "is too long")),
        (
            b"From: a@b.example\r\nSubject: s\r\nList-Unsubscribe: =?utf-8?q?=0D=0ABcc:_x?=",
            ("headers.List-Unsubscribe", "line break"),
        ),
        (b"Subject: s", ("From", "needs a From: header")),
        (b"From: a@b.example", ("Subject", "is empty")),
    ],
)
def test_a_message_that_could_not_be_sent_is_refused_before_anything_is_written(
    seeded: str, tmp_path: Path, session: Session, headers: bytes, words: tuple[str, ...]
) -> None:
    (tmp_path / "odd.eml").write_bytes(headers + BODY)
    assert refused(run("test", "send", str(tmp_path / "odd.eml"), "--config", seeded), *words)
    assert written(session) == NOTHING


def test_of_a_file_without_end_only_the_beginning_is_read(seeded: str) -> None:
    assert refused(run("test", "send", "/dev/zero", "--config", seeded), "larger than 5 MB")


def test_a_bad_envelope_does_not_stay_with_the_sender(
    seeded: str, letter: str, session: Session
) -> None:
    send = ("test", "send", letter, "--config", seeded)
    assert run(*send, "--mail-from", "bounces@news.example.org").exit_code == 0
    assert run(*send, "--mail-from", "nobody").exit_code == 2
    assert run(*send).exit_code == 0
    assert session.exec(select(SenderRow.mail_from)).all() == ["bounces@news.example.org"]


def test_the_same_key_names_the_test_that_it_made_and_writes_nothing(
    seeded: str, letter: str, session: Session
) -> None:
    send = ("test", "send", letter, "--config", seeded, "--key", "k", "--json")
    first = json.loads(run(*send).stdout)
    before = written(session)
    again = json.loads(run(*send, "--alert-to", "late@example.org").stdout)
    session.rollback()
    assert (again["test"], written(session)) == (first["test"], before)
    assert "was made with this key before" in again["says"]
    assert "due now" not in again["says"]


@contextmanager
def after_a_look_for(column: str, do: Callable[[], object]) -> Iterator[None]:
    """Let *do* happen once, just after somebody has looked whether *column* holds a value."""
    waiting = [do]

    def looked(*said: Any) -> None:
        statement = said[2]
        if waiting and statement.startswith("SELECT") and f"{column} = " in statement:
            waiting.pop()()

    listen(Engine, "after_cursor_execute", looked)
    try:
        yield
    finally:
        remove(Engine, "after_cursor_execute", looked)


@pytest.mark.parametrize(
    ("do", "column"),
    [("send", "idempotency_key"), ("send", "from_domain"), ("expect", "from_domain")],
)
def test_of_two_with_one_key_at_the_same_moment_both_name_one_test(
    seeded: str, letter: str, session: Session, do: str, column: str
) -> None:
    command = ("test", do, letter, "--config", seeded, "--key", "k", "--json")
    shown: list[Result] = []
    with after_a_look_for(column, lambda: shown.append(run(*command))):
        shown.append(run(*command))
    first, second = (json.loads(one.stdout) for one in shown)
    assert first["test"] == second["test"]
    assert "was made with this key before" in second["says"]
    tests = session.exec(select(TestRow.uid).where(TestRow.idempotency_key == "k")).all()
    assert tests == [first["test"]]
    assert len(session.exec(select(CopyRow)).all()) == 2


def test_whoever_is_named_twice_is_asked_once_whether_they_want_it(
    seeded: str, letter: str, session: Session
) -> None:
    twice = ("--alert-to", "me@example.org", "--alert-to", "me@example.org")
    for _ in range(2):
        shown = run("test", "send", letter, "--config", seeded, *twice)
        assert "me@example.org is told once they open the link" in shown.output
        assert "seedwatch routes confirm 1" in shown.output
    assert session.exec(select(RouteRow.address)).all() == ["me@example.org"]
    assert session.exec(select(AlertRow.about)).all() == [About.CONFIRM]


def test_a_domain_beyond_ascii_is_sent_in_its_idna_form(
    seeded: str, tmp_path: Path, session: Session
) -> None:
    (tmp_path / "a.eml").write_bytes(
        "From: n <a@bücher.example>\r\nSubject: s\r\n\r\ntext\r\n".encode()
    )
    assert run("test", "send", str(tmp_path / "a.eml"), "--config", seeded).exit_code == 0
    assert session.exec(select(SenderRow.from_domain)).all() == ["xn--bcher-kva.example"]


def test_schedules_of_long_names_fit_and_stay_apart(seeded: str, tmp_path: Path) -> None:
    for last in "ab":
        path = tmp_path / f"{'n' * 120}{last}.eml"
        path.write_bytes(EML)
        send = ("test", "send", str(path), "--config", seeded, "--every", "every 2h")
        assert run(*send).exit_code == 0
    names = {one["name"] for one in listed(seeded, "schedules", "list")}
    assert [len(name) for name in names] == [100, 100]


def test_a_name_that_no_database_takes_is_cleaned() -> None:
    assert read_campaign(EML, name="a\udcff\0\x1b\n" + "n" * 300).name == (
        "a" + "\ufffd" * 4 + "n" * (MAX_NAME - 5)
    )


@pytest.mark.parametrize("charset", [b"utf-8", b"idna", b"undefined", b"hex", b"utf-7", b"x\xff"])
def test_a_body_never_holds_what_no_database_takes(charset: bytes) -> None:
    head = b"From: a@b.example\r\nSubject: s\r\nContent-Type: text/plain; charset=" + charset
    text = read_campaign(head + b"\r\n\r\na\0b +2AA- \xff\r\n", name="n").text
    assert "\0" not in text
    assert text.encode("utf-8").startswith(b"a\xef\xbf\xbdb")


HEADERS = (b"From: ", b"Subject: ", b"Content-Type: ", b"Content-Disposition: ", b"*0*=")
MARKS = tuple(bytes([byte]) for byte in b'(<"\\:;,[=\0\xff')
WORDS = (b"multipart/mixed; boundary=b", b"--b", b"text", b"/html", b"; charset=", b"a@b.example")
PIECES = st.sampled_from((*HEADERS, *MARKS, *WORDS, b"=?utf-8?q?=FF?=", b"\r\n", b"\r\n\r\n"))


@given(st.lists(PIECES, max_size=40).map(b"".join))
def test_any_bytes_are_a_campaign_or_are_refused(raw: bytes) -> None:
    for message in (raw, b"From: a@b.example\r\nSubject: s\r\n" + raw):
        try:
            read_campaign(message, name="odd")
        except BadInputError as error:
            assert str(error)  # noqa: PT017 - either is right


def test_parts_within_parts_without_end_are_refused() -> None:
    head = b"From: a@b.example\r\nSubject: s\r\n"
    raw = head + b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n)
        for n in range(3000)
    )
    assert len(raw) < MAX_BYTES
    with pytest.raises(BadInputError, match=r"cannot be understood|has no text"):
        read_campaign(raw, name="deep")


def test_nothing_is_left_of_an_organisation_that_sent_nothing(
    config: str, letter: str, session: Session
) -> None:
    assert refused(run("test", "send", letter, "--config", config), "seeds import FILE", status=1)
    assert session.exec(select(OrganisationRow)).all() == []
