"""Reading seed mailboxes at the lab's eight providers."""

import imaplib
import re
import smtplib
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from monitor.core.campaigns import Found, Match, Role, Wanted
from monitor.core.clock import ManualClock
from monitor.core.errors import MailboxLockedError
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.mailboxes.imap import ImapMailbox

Open = Callable[..., ImapMailbox]
Want = Callable[..., Wanted]
Write = Callable[..., bytes]
Listen = Callable[..., Any]

SPAM = {
    "gmail": "[Gmail]/Spam",
    "google_workspace": "[Gmail]/Spam",
    "outlook": "Junk",
    "microsoft365": "Junk Email",
    "yahoo": "Bulk",
    "icloud": "Junk",
    "gmx": "Spam",
    "corporate": "Junk",
}
READING = re.compile(
    r"LOGIN .*|NAMESPACE|LIST .*|CAPABILITY|STATUS .*|EXAMINE .*|UID SEARCH .*|LOGOUT"
    r"|UID FETCH [\d:,*]+ \(UID( INTERNALDATE)?"
    r" BODY\.PEEK\[(HEADER(\.FIELDS \([^)]*\))?)?\]<[\d.]+>\)"
)


class Seed:
    """A mailbox in the lab, and what its owner and its provider do with it."""

    def __init__(self, lab: Lab, provider: str) -> None:
        self.lab = lab
        self.provider = provider
        self.address = f"seed@{lab.providers[provider].domain}"
        self.endpoint = lab.providers[provider].imap
        lab.add_mailbox(self.address, "pw")

    def put(self, folder: str, raw: bytes) -> None:
        self.lab.add_message(self.address, folder, raw)

    def move(self, source: str, target: str) -> None:
        """Move all messages of a folder."""
        self._change(source, lambda imap: imap._simple_command("MOVE", "1:*", f'"{target}"'))

    def delete(self, folder: str) -> None:
        self._change(folder, lambda imap: imap.store("1:*", "+FLAGS", r"(\Deleted)"))

    def _change(self, folder: str, change: Callable[[imaplib.IMAP4], Any]) -> None:
        with imaplib.IMAP4(self.endpoint.host, self.endpoint.port) as imap:
            imap.login(self.address, "pw")
            assert imap.select(f'"{folder}"')[0] == "OK"
            assert change(imap)[0] == "OK"
            imap.expunge()


@pytest.fixture
def gmail(lab: Lab) -> Seed:
    return Seed(lab, "gmail")


@pytest.fixture
def corporate(lab: Lab) -> Seed:
    return Seed(lab, "corporate")


def places(found: list[Found]) -> dict[str, str]:
    return {copy.message_id[1:-15]: copy.folder for copy in found}


@pytest.mark.parametrize("provider", sorted(SPAM))
def test_copies_are_found_at_every_provider_in_few_round_trips(
    lab: Lab, mailbox: Open, relay: Listen, wanted: Want, letter: Write, provider: str
) -> None:
    """Five on a first visit, greeting included; one on a later one. Only reading is done."""
    seed = Seed(lab, provider)
    lab.fill(seed.address, 500)
    seed.put("INBOX", letter(1))
    seed.put(SPAM[provider], letter(2))
    line = relay(seed.endpoint)
    reader = mailbox(line.endpoint, provider, address=seed.address)
    copies = [wanted(1), wanted(2), wanted(3)]

    found = reader.look(copies)

    assert [(c.message_id, c.folder, c.role, c.match) for c in found] == [
        ("<1@brand.example>", "INBOX", Role.INBOX, Match.MESSAGE_ID),
        ("<2@brand.example>", SPAM[provider], Role.SPAM, Match.MESSAGE_ID),
    ]
    assert [c.received_at for c in found] == [copies[0].sent_at] * 2
    assert found[0].headers == letter(1).partition(b"body")[0]
    assert line.round_trips == reader.round_trips == 5

    assert places(reader.look(copies)) == {"1": "INBOX", "2": SPAM[provider]}
    assert line.round_trips == reader.round_trips == 6

    reader.close()
    assert [c for c in line.commands if not READING.fullmatch(c)] == []
    assert lab.flags(seed.address, "INBOX") == [set()] * 501


def test_a_later_visit_finds_what_has_come_since(
    gmail: Seed, mailbox: Open, relay: Listen, wanted: Want, letter: Write
) -> None:
    """Two round trips: one to see it, one for its headers."""
    line = relay(gmail.endpoint)
    reader = mailbox(line.endpoint, "gmail", address=gmail.address)
    assert reader.look([wanted(1)]) == []
    before = line.round_trips

    gmail.put("[Gmail]/Spam", letter(1))

    (copy,) = reader.look([wanted(1)])
    assert (copy.folder, copy.headers[:5]) == ("[Gmail]/Spam", b"From:")
    assert line.round_trips == before + 2


def test_a_copy_that_came_before_anybody_asked_for_it_is_found_from_memory(
    gmail: Seed, mailbox: Open, relay: Listen, wanted: Want, letter: Write
) -> None:
    gmail.put("INBOX", letter(1))
    gmail.put("INBOX", letter(2))
    line = relay(gmail.endpoint)
    reader = mailbox(line.endpoint, "gmail", address=gmail.address)
    reader.look([wanted(1)])
    before = line.round_trips

    assert places(reader.look([wanted(2, was_found=True)])) == {"2": "INBOX"}
    assert line.round_trips == before + 1


def test_an_older_copy_is_searched_for_anew(
    gmail: Seed, mailbox: Open, wanted: Want, letter: Write, clock: ManualClock
) -> None:
    gmail.put("INBOX", letter(1))
    clock.sleep(timedelta(days=5))
    reader = mailbox(gmail.endpoint, "gmail", address=gmail.address)
    assert reader.look([wanted(2, sent_at=clock.now())]) == []

    assert places(reader.look([wanted(1)])) == {"1": "INBOX"}


def test_headers_come_until_they_have_been_written_down(
    gmail: Seed, mailbox: Open, wanted: Want, letter: Write
) -> None:
    gmail.put("INBOX", letter(1))
    reader = mailbox(gmail.endpoint, "gmail", address=gmail.address)

    looks = [reader.look([wanted(1, was_found=n >= 2)])[0] for n in range(4)]

    assert [bool(copy.headers) for copy in looks] == [True, True, True, False]


def test_a_copy_that_was_moved_is_found_where_it_is_now(
    corporate: Seed, mailbox: Open, wanted: Want, letter: Write
) -> None:
    corporate.put("INBOX", letter(1))
    reader = mailbox(corporate.endpoint, address=corporate.address)
    assert places(reader.look([wanted(1)])) == {"1": "INBOX"}

    corporate.move("INBOX", "Quarantine")
    (moved,) = reader.look([wanted(1, was_found=True)])
    assert (moved.folder, moved.role) == ("Quarantine", Role.QUARANTINE)

    corporate.move("Quarantine", "Trash")
    (trashed,) = reader.look([wanted(1, was_found=True)])
    assert (trashed.folder, trashed.role) == ("Trash", Role.TRASH)

    corporate.move("Trash", "INBOX")
    assert places(reader.look([wanted(1, was_found=True)])) == {"1": "INBOX"}


def test_a_copy_that_was_deleted_is_gone(
    corporate: Seed, mailbox: Open, wanted: Want, letter: Write
) -> None:
    corporate.put("INBOX", letter(1))
    corporate.put("INBOX", letter(2))
    reader = mailbox(corporate.endpoint, address=corporate.address)
    assert places(reader.look([wanted(1), wanted(2)])) == {"1": "INBOX", "2": "INBOX"}

    corporate.delete("INBOX")

    assert reader.look([wanted(1, was_found=True), wanted(2, was_found=True)]) == []
    assert reader.read("<1@brand.example>", limit=10) is None


def test_a_copy_in_two_folders_counts_where_a_reader_would_see_it(
    corporate: Seed, mailbox: Open, wanted: Want, letter: Write
) -> None:
    for folder in ("Trash", "Junk", "INBOX"):
        corporate.put(folder, letter(1))

    found = mailbox(corporate.endpoint, address=corporate.address).look([wanted(1)])

    assert places(found) == {"1": "INBOX"}


def test_the_folder_that_holds_all_mail_is_never_opened(
    gmail: Seed, mailbox: Open, relay: Listen, wanted: Want, letter: Write
) -> None:
    gmail.put("[Gmail]/All Mail", letter(1))
    line = relay(gmail.endpoint)

    assert mailbox(line.endpoint, "gmail", address=gmail.address).look([wanted(1)]) == []
    opened = {c for c in line.commands if c.startswith("EXAMINE")}
    assert opened == {'EXAMINE "INBOX"', 'EXAMINE "[Gmail]/Spam"', 'EXAMINE "[Gmail]/Trash"'}


def test_a_folder_that_a_rule_has_just_made_is_looked_into(
    corporate: Seed, mailbox: Open, wanted: Want, letter: Write
) -> None:
    reader = mailbox(corporate.endpoint, address=corporate.address)
    assert reader.look([wanted(1)]) == []

    with imaplib.IMAP4(corporate.endpoint.host, corporate.endpoint.port) as imap:
        imap.login(corporate.address, "pw")
        imap.create("Brand")
        imap.append("Brand", "", "", letter(1))

    (copy,) = reader.look([wanted(1)])
    assert (copy.folder, copy.role) == ("Brand", Role.OTHER)


def test_a_copy_whose_message_id_was_rewritten_is_known_by_its_header(
    corporate: Seed, mailbox: Open, wanted: Want, letter: Write
) -> None:
    """Some ESPs put their own Message-ID in the place of ours."""
    corporate.put("Junk", letter(1).replace(b"<1@brand", b"<esp@brand"))

    (copy,) = mailbox(corporate.endpoint, address=corporate.address).look([wanted(1)])

    assert (copy.message_id, copy.folder) == ("<1@brand.example>", "Junk")
    assert copy.match is Match.HEADER
    assert copy.headers.startswith(b"From:")


@pytest.mark.parametrize(
    "extra",
    [
        b"Subject: =?utf-8?B?broken?= \xff\xfe\x00\r\n",
        b"X-Long: " + b"x" * 200_000 + b"\r\n",
        b"To: " + b"a@b.example, " * 5000 + b"\r\n",
        b": nameless\r\n\tfolded\r\n garbage without colon\r\n",
    ],
    ids=["bytes", "long", "many recipients", "nonsense"],
)
def test_broken_headers_do_not_hide_a_copy(
    corporate: Seed, mailbox: Open, wanted: Want, letter: Write, extra: bytes
) -> None:
    corporate.put("INBOX", letter(1, extra))
    reader = mailbox(corporate.endpoint, address=corporate.address)

    (copy,) = reader.look([wanted(1)])

    assert copy.folder == "INBOX"
    assert 0 < len(copy.headers) <= 64 * 1024


def test_a_message_of_fifty_megabytes_is_not_fetched(
    corporate: Seed, mailbox: Open, relay: Listen, wanted: Want, letter: Write
) -> None:
    corporate.put("INBOX", letter(2) + b"x" * 50_000_000)
    corporate.put("INBOX", letter(1) + b"x" * 50_000_000)
    line = relay(corporate.endpoint)
    reader = mailbox(line.endpoint, address=corporate.address)

    assert places(reader.look([wanted(1)])) == {"1": "INBOX"}
    assert len(reader.read("<1@brand.example>", limit=1000) or b"") == 1000
    assert line.heard_bytes < 10_000


def test_twenty_thousand_other_messages_do_not_hide_a_copy(
    lab: Lab, corporate: Seed, mailbox: Open, relay: Listen, wanted: Want, letter: Write
) -> None:
    corporate.put("INBOX", letter(1))
    lab.fill(corporate.address, 20_000)
    line = relay(corporate.endpoint)
    reader = mailbox(line.endpoint, address=corporate.address)

    assert places(reader.look([wanted(1)])) == {"1": "INBOX"}
    assert line.round_trips == 4
    assert line.heard_bytes < 1_000_000


def test_uids_that_start_anew_are_noticed(
    mailbox: Open, wanted: Want, letter: Write, clock: ManualClock
) -> None:
    rule = '[[rule]]\naction = "imap_revalidate"\nfrom = "1h"\nuntil = "2h"'
    with scenario(rule, clock) as lab:
        seed = Seed(lab, "corporate")
        lab.fill(seed.address, 5)
        seed.put("INBOX", letter(1))
        seed.delete("INBOX")
        seed.put("INBOX", letter(2))
        reader = mailbox(seed.endpoint, address=seed.address)
        assert places(reader.look([wanted(1), wanted(2)])) == {"2": "INBOX"}

        clock.sleep(timedelta(minutes=90))

        assert places(reader.look([wanted(1), wanted(2, was_found=True)])) == {"2": "INBOX"}
        assert reader.read("<2@brand.example>", limit=5) == b"From:"


def test_a_tab_is_told_where_the_provider_has_tabs(
    mailbox: Open, wanted: Want, letter: Write, clock: ManualClock
) -> None:
    rule = '[[rule]]\naction = "tab"\ntab = "promotions"\nprovider = "gmail"'
    with scenario(rule, clock) as lab:
        seed = Seed(lab, "gmail")
        seed.put("INBOX", letter(2))
        route = lab.smtp_route("gmail.lab.example")
        with smtplib.SMTP(route.host, route.port) as smtp:
            smtp.sendmail("bounce@brand.example", seed.address, letter(1))
        reader = mailbox(seed.endpoint, "gmail", address=seed.address)

        for _ in range(2):
            found = {c.message_id: c for c in reader.look([wanted(1), wanted(2)])}
            tabbed, plain = found["<1@brand.example>"], found["<2@brand.example>"]
            assert (tabbed.folder, tabbed.role, tabbed.tab) == ("INBOX", Role.TAB, "promotions")
            assert (plain.folder, plain.role, plain.tab) == ("INBOX", Role.INBOX, "")


def test_many_copies_are_found_at_once(
    gmail: Seed, mailbox: Open, relay: Listen, wanted: Want, letter: Write
) -> None:
    for number in range(40):
        gmail.put("INBOX" if number % 2 else "[Gmail]/Spam", letter(number))
    line = relay(gmail.endpoint)

    found = mailbox(line.endpoint, "gmail", address=gmail.address).look(
        [wanted(number) for number in range(45)]
    )

    assert sorted(int(n) for n in places(found)) == list(range(40))
    assert all(copy.headers for copy in found)
    assert line.round_trips == 5


def test_threads_may_share_a_mailbox(
    gmail: Seed, mailbox: Open, wanted: Want, letter: Write
) -> None:
    gmail.put("INBOX", letter(1))
    reader = mailbox(gmail.endpoint, "gmail", address=gmail.address)
    results: list[dict[str, str]] = []

    def work() -> None:
        results.extend(places(reader.look([wanted(1)])) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [{"1": "INBOX"}] * 30


def test_a_closed_mailbox_holds_nothing_and_opens_again_when_it_is_looked_into(
    corporate: Seed, mailbox: Open, relay: Listen, wanted: Want, letter: Write
) -> None:
    """Whoever keeps many mailboxes may close one that is not used, at any time."""
    corporate.put("INBOX", letter(1))
    line = relay(corporate.endpoint)
    reader = mailbox(line.endpoint, address=corporate.address)
    assert places(reader.look([wanted(1)])) == {"1": "INBOX"}

    reader.close()
    reader.close()
    assert (reader.round_trips, reader._known) == (0, {})
    corporate.move("INBOX", "Junk")
    corporate.put("INBOX", letter(2))

    copies = [wanted(1, was_found=True), wanted(2)]
    assert places(reader.look(copies)) == {"1": "Junk", "2": "INBOX"}
    assert reader.round_trips == 5

    reader.close()
    assert (reader.read("<1@brand.example>", limit=5000) or b"").endswith(b"body\r\n")


def test_a_mailbox_may_be_closed_while_others_look_into_it(
    corporate: Seed, mailbox: Open, wanted: Want, letter: Write
) -> None:
    corporate.put("INBOX", letter(1))
    reader = mailbox(corporate.endpoint, address=corporate.address)
    found: list[dict[str, str]] = []

    def look() -> None:
        found.extend(places(reader.look([wanted(1)])) for _ in range(10))

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    while any(looker.is_alive() for looker in lookers):
        reader.close()
    for looker in lookers:
        looker.join()

    assert found == [{"1": "INBOX"}] * 30


def test_the_beginning_of_a_copy_is_read_wherever_it_is_and_by_whomever(
    corporate: Seed, mailbox: Open, wanted: Want, letter: Write
) -> None:
    corporate.put("INBOX", letter(1))
    first = mailbox(corporate.endpoint, address=corporate.address)
    first.look([wanted(1)])
    assert first.read("<1@brand.example>", limit=1000) == letter(1)

    corporate.move("INBOX", "Junk")

    another = mailbox(corporate.endpoint, address=corporate.address)
    assert first.read("<1@brand.example>", limit=10) == letter(1)[:10]
    assert another.read("<1@brand.example>", limit=10) == letter(1)[:10]
    assert another.read("<9@brand.example>", limit=10) is None
    assert corporate.lab.flags(corporate.address, "Junk") == [set()]


def test_looking_for_nothing_proves_that_a_mailbox_can_be_read(
    corporate: Seed, mailbox: Open, relay: Listen
) -> None:
    line = relay(corporate.endpoint)

    assert mailbox(line.endpoint, address=corporate.address).look([]) == []
    assert line.commands[-1] == "EXAMINE INBOX"
    with pytest.raises(MailboxLockedError):
        mailbox(corporate.endpoint, address=corporate.address, password="no").look([])


def scenario(rules: str, clock: ManualClock) -> Lab:
    return Lab(load_scenario(rules, name="test"), clock=clock, seed=1)
