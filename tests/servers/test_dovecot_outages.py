"""Dovecot stops, is killed, and comes back, while a seed on it is being read."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

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
LOOKS_WITHIN_S = 40.0  # far longer than any takes, and below the time of a test


@pytest.fixture
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


class Looks:
    """What looks at one copy came to, one after the other, in a thread of their own."""

    def __init__(self, reader: ImapMailbox) -> None:
        self.found_it: list[bool] = []
        self.is_over = threading.Event()
        self._reader = reader
        self._refusal = ""

    def look_on(self) -> None:
        while not self.is_over.is_set():
            try:
                found = self._reader.look([wanted(1, was_found=True)])
            except MailboxBusyError as error:
                self._refusal = str(error)
                self.is_over.wait(0.01)
            else:
                self.found_it.append(len(found) == 1)

    def await_more(self, count: int) -> None:
        enough, deadline = len(self.found_it) + count, time.monotonic() + LOOKS_WITHIN_S
        while len(self.found_it) < enough:
            assert time.monotonic() < deadline, f"no look succeeds; the last one: {self._refusal}"
            self.is_over.wait(0.01)


@contextmanager
def looking_on(reader: ImapMailbox) -> Iterator[Looks]:
    """Look all the time; at the end nobody does, however the test went."""
    looks = Looks(reader)
    thread = threading.Thread(target=looks.look_on)
    thread.start()
    try:
        yield looks
    finally:
        looks.is_over.set()
        thread.join()  # each exchange of a look ends within the reader's own limit


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
    with looking_on(reader) as looks:
        for way in (server.kill, server.stop):
            looks.await_more(5)
            way()
            server.start()
        looks.await_more(5)

    assert all(looks.found_it)


def test_a_wait_for_new_mail_ends_when_it_comes(server: Dovecot, reader: ImapMailbox) -> None:
    server.deliver(ACCOUNT, make_letter(1))
    assert len(reader.look([wanted(1)])) == 1
    delivery = threading.Timer(0.2, server.deliver, (ACCOUNT, make_letter(7)))
    delivery.start()
    try:
        assert reader.wait(20) is True
    finally:
        delivery.join()

    assert len(reader.look([wanted(7)])) == 1
    assert reader.wait(0.1) is False
