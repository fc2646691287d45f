"""A provider that takes mail back after delivery, played by doveadm on a real Dovecot."""

import os
from collections.abc import Iterator

import pytest

from monitor.core.campaigns import Role, Wanted
from monitor.core.clock import SystemClock
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes.imap import ImapMailbox
from tests.edges.conftest import Relay, make_letter
from tests.servers.dovecot import Dovecot, dovecot

pytestmark = pytest.mark.real

FACTS = ProviderFacts("own", "Own", (), None, {})
MANY = 20_000


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as running:
        yield running


@pytest.fixture
def reader(server: Dovecot, request: pytest.FixtureRequest) -> Iterator[ImapMailbox]:
    """The seed that is named for its test, so that all may share a server."""
    user = user_of(request)
    mailbox = ImapMailbox(Account(user, "own", server.endpoint, user, "pw"), FACTS, timeout_s=30)
    yield mailbox
    mailbox.close()


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    return user_of(request)


def user_of(request: pytest.FixtureRequest) -> str:
    return request.node.name[5:25].strip("_")


def wanted(number: int = 1, *, was_found: bool = False) -> Wanted:
    """Copy *number* as sent now: Dovecot dates what it stores by the wall clock."""
    now = SystemClock().now()
    return Wanted(f"<{number}@brand.example>", f"tok{number}", now, was_found=was_found)


def where(reader: ImapMailbox, *, was_found: bool = True) -> list[str]:
    return [copy.folder for copy in reader.look([wanted(was_found=was_found)])]


@pytest.mark.parametrize(("folder", "role"), [("Quarantine", Role.QUARANTINE), ("Junk", Role.SPAM)])
def test_mail_that_is_taken_out_of_the_inbox_is_found_where_it_went(
    server: Dovecot, reader: ImapMailbox, user: str, folder: str, role: Role
) -> None:
    server.deliver(user, make_letter(1))
    server.deliver(user, make_letter(2))
    assert where(reader, was_found=False) == ["INBOX"]

    server.doveadm(
        "move", "-u", user, folder, "mailbox", "INBOX", "header", "message-id", "<1@brand"
    )

    (moved,) = reader.look([wanted(was_found=True)])
    assert (moved.folder, moved.role) == (folder, role)
    server.doveadm("expunge", "-u", user, "mailbox", folder, "all")
    assert where(reader) == []


def test_mail_that_comes_back_is_noticed(server: Dovecot, reader: ImapMailbox, user: str) -> None:
    server.deliver(user, make_letter(1), folder="Junk")
    assert where(reader, was_found=False) == ["Junk"]

    server.doveadm("move", "-u", user, "INBOX", "mailbox", "Junk", "all")
    assert where(reader) == ["INBOX"]

    server.doveadm("flags", "add", "-u", user, "\\Seen \\Flagged", "mailbox", "INBOX", "all")
    assert where(reader) == ["INBOX"]


def test_a_second_copy_is_counted_and_a_folder_that_vanishes_takes_its_mail_along(
    server: Dovecot, reader: ImapMailbox, user: str
) -> None:
    server.doveadm("mailbox", "create", "-u", user, "Brand")
    for _ in range(2):
        server.deliver(user, make_letter(1), folder="Brand")
    (copy,) = reader.look([wanted()])
    assert (copy.folder, copy.duplicates) == ("Brand", 1)

    server.doveadm("mailbox", "delete", "-u", user, "Brand")

    assert where(reader) == []
    assert "Brand" not in [sight.name for sight in reader.layout()]


def test_twenty_thousand_messages_do_not_slow_a_look_down(server: Dovecot, user: str) -> None:
    """Searches are answered in ranges (ESEARCH), and the copy comes along with its search."""
    fill(server, user, MANY)
    server.deliver(user, make_letter(1))
    line = Relay(server.endpoint)
    try:
        account = Account(user, "own", line.endpoint, user, "pw")
        reader = ImapMailbox(account, FACTS, timeout_s=60)
        assert where(reader, was_found=False) == ["INBOX"]
        assert (line.round_trips, line.heard_bytes < 10_000) == (4, True)

        server.doveadm("move", "-u", user, "Junk", "mailbox", "INBOX", "uid", f"{MANY + 1}")
        assert where(reader) == ["Junk"]
        assert line.heard_bytes < 2_000_000
        reader.close()
    finally:
        line.stop()


def fill(server: Dovecot, user: str, count: int) -> None:
    """Put messages into the inbox before Dovecot first looks at it."""
    inbox = server.folder / "mail" / user
    for part in ("cur", "new", "tmp"):
        (inbox / part).mkdir(parents=True)
    for number in range(count):
        text = b"From: a@b.example\r\nMessage-ID: <n%d@b.example>\r\n\r\nx\r\n" % number
        (inbox / "cur" / f"{number:06d}.own:2,").write_bytes(text)
    owner = (server.folder / "mail").stat()
    for path in (inbox, *inbox.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
