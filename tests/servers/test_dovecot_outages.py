"""Dovecot stops, is killed, and comes back, while a seed on it is being read."""

import threading
from collections.abc import Iterator

import pytest

from monitor.core.campaigns import Wanted
from monitor.core.clock import SystemClock
from monitor.core.errors import MailboxBusyError
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes.imap import ImapMailbox
from tests.edges.conftest import make_letter
from tests.servers.dovecot import Dovecot, dovecot

pytestmark = pytest.mark.real

FACTS = ProviderFacts("own", "Own", (), None, {})
ACCOUNT = "seed"


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as running:
        yield running


@pytest.fixture
def reader(server: Dovecot) -> Iterator[ImapMailbox]:
    account = Account(ACCOUNT, "own", server.endpoint, ACCOUNT, "pw")
    mailbox = ImapMailbox(account, FACTS, timeout_s=10)
    yield mailbox
    mailbox.close()


def wanted(number: int, *, was_found: bool = False) -> Wanted:
    now = SystemClock().now()
    return Wanted(f"<{number}@brand.example>", f"tok{number}", now, was_found=was_found)


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_server_that_ends_is_trouble_and_not_an_empty_mailbox(
    server: Dovecot, reader: ImapMailbox, way: str
) -> None:
    server.deliver(ACCOUNT, make_letter(1))
    copy = wanted(1)
    assert len(reader.look([copy])) == 1

    getattr(server, way)()
    with pytest.raises(MailboxBusyError, match=r"no connection to 127\.0\.0\.1"):
        reader.look([wanted(1, was_found=True)])

    server.start()
    assert [found.folder for found in reader.look([wanted(1, was_found=True)])] == ["INBOX"]


def test_a_server_that_is_killed_amid_looks_gives_a_find_or_an_honest_error(
    server: Dovecot, reader: ImapMailbox
) -> None:
    server.deliver(ACCOUNT, make_letter(1))
    looks: list[bool] = []
    is_over = threading.Event()

    def look_on() -> None:
        while not is_over.is_set():
            try:
                looks.append(len(reader.look([wanted(1, was_found=True)])) == 1)
            except MailboxBusyError:
                is_over.wait(0.01)

    looking = threading.Thread(target=look_on)
    looking.start()
    try:
        for way in (server.kill, server.stop):
            seen = len(looks)
            while len(looks) < seen + 5:
                is_over.wait(0.01)
            way()
            server.start()
        seen = len(looks)
        while len(looks) < seen + 5:
            is_over.wait(0.01)
    finally:
        is_over.set()
        looking.join(30)

    assert all(looks)


def test_a_wait_for_new_mail_ends_when_it_comes(server: Dovecot, reader: ImapMailbox) -> None:
    delivery = threading.Timer(0.2, server.deliver, (ACCOUNT, make_letter(7)))
    delivery.start()

    assert reader.wait(20) is True

    delivery.join()
    assert len(reader.look([wanted(7)])) == 1
    assert reader.wait(0.1) is False
