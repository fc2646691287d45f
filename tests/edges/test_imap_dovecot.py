"""The same reader against a server that others wrote."""

import imaplib
from collections.abc import Callable
from typing import Any

import pytest

from monitor.core.campaigns import Match, Role, Wanted
from monitor.core.clock import SystemClock
from monitor.core.errors import MailboxLockedError
from monitor.core.seeds import Endpoint
from monitor.mailboxes.imap import ImapMailbox

pytestmark = pytest.mark.real

Open = Callable[..., ImapMailbox]
Want = Callable[..., Wanted]
Write = Callable[..., bytes]

SPAM = "Unerw&APw-nscht"


@pytest.fixture
def owner(dovecot: Endpoint) -> Any:
    """Somebody who may write into the mailbox."""
    with imaplib.IMAP4(dovecot.host, dovecot.port) as imap:
        imap.login("seed", "pw")
        yield imap


def now() -> Wanted:
    """Copy 1 as sent now: Dovecot dates what it stores by the wall clock."""
    return Wanted("<1@brand.example>", "tok1", SystemClock().now())


def test_dovecot_is_read_in_four_round_trips_and_then_in_one(
    dovecot: Endpoint, owner: Any, mailbox: Open, relay: Any, letter: Write
) -> None:
    for number in range(2, 102):
        owner.append("INBOX", "", "", letter(number))
    owner.append(SPAM, "", "", letter(1))
    line = relay(dovecot)
    reader = mailbox(line.endpoint, address="seed")

    (copy,) = reader.look([now()])
    assert (copy.folder, copy.role, copy.match) == ("Unerwünscht", Role.SPAM, Match.MESSAGE_ID)
    assert copy.headers == letter(1).partition(b"body")[0]
    assert line.round_trips == 4

    assert [c.folder for c in reader.look([now()])] == ["Unerwünscht"]
    assert line.round_trips == 5
    assert owner.select(SPAM) == ("OK", [b"1"])
    assert owner.fetch("1", "(FLAGS)")[1][0].startswith(b"1 (FLAGS (")
    assert b"Seen" not in owner.fetch("1", "(FLAGS)")[1][0]


def test_dovecot_s_moved_and_deleted_copies_are_noticed(
    dovecot: Endpoint, owner: Any, mailbox: Open, letter: Write
) -> None:
    owner.append("INBOX", "", "", letter(1))
    reader = mailbox(dovecot, address="seed")
    assert [c.folder for c in reader.look([now()])] == ["INBOX"]

    owner.select("INBOX")
    assert owner._simple_command("MOVE", "1", "Quarantine")[0] == "OK"
    assert [c.role for c in reader.look([now()])] == [Role.QUARANTINE]
    assert reader.read("<1@brand.example>", limit=12) == letter(1)[:12]

    owner.select("Quarantine")
    owner.store("1", "+FLAGS", r"(\Deleted)")
    owner.expunge()
    assert reader.look([now()]) == []


def test_a_folder_that_was_deleted_and_made_anew_is_read_anew(
    dovecot: Endpoint, owner: Any, mailbox: Open, letter: Write
) -> None:
    owner.create("Brand")
    owner.append("Brand", "", "", letter(1))
    reader = mailbox(dovecot, address="seed")
    assert [c.folder for c in reader.look([now()])] == ["Brand"]

    owner.delete("Brand")
    assert reader.look([now()]) == []

    owner.create("Brand")
    owner.append("Brand", "", "", letter(1))
    assert [c.folder for c in reader.look([now()])] == ["Brand"]


def test_a_wrong_password_is_told_from_trouble(dovecot: Endpoint, mailbox: Open) -> None:
    with pytest.raises(MailboxLockedError, match=r"sign-in refused \(\[AUTHENTICATIONFAILED\]"):
        mailbox(dovecot, address="seed", password="wrong").look([now()])
