"""How a server is asked: one by one where it must be, by counting where that is enough."""

import re
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.core.campaigns import Match, Role, Wanted
from monitor.core.clock import ManualClock
from monitor.core.errors import MailboxBusyError
from monitor.core.seeds import Account, Endpoint, ProviderFacts
from monitor.evidence import bodies
from monitor.lab.lab import Lab
from monitor.mailboxes.imap import ImapMailbox

Start = Callable[..., Any]
Open = Callable[..., ImapMailbox]
Want = Callable[..., Wanted]
Write = Callable[..., bytes]

SEED = "seed@corporate.lab.example"
OFFERS = b"TAG OK [CAPABILITY IMAP4rev1 %b] in\r\n"
TWO_FOLDERS = b'* LIST () "/" INBOX\r\n* LIST () "/" Junk\r\nTAG OK done\r\n'
NOTHING = b"TAG OK done\r\n"


class OneAtATime:
    """Stands before a server, and answers a write of several commands as told."""

    def __init__(self, target: Endpoint, answer: bytes | None) -> None:
        self.target = target
        self.answer = answer
        self.batches: list[int] = []
        self.connections = 0

    def __call__(self, connection: Any) -> None:
        self.connections += 1
        with socket.create_connection((self.target.host, self.target.port)) as server:
            connection.sendall(server.recv(65536))
            while data := connection.recv(65536):
                tags = re.findall(rb"(?m)^(S\d+) ", data)
                if not tags or (len(tags) > 1 and self.answer is None):
                    self.batches += [len(tags)] if tags else []
                    return
                self.batches.append(len(tags))
                if len(tags) > 1:
                    connection.sendall(b"".join(b"%b %b" % (t, self.answer) for t in tags))
                    continue
                server.sendall(data)
                reply = b""
                while not re.search(rb"(?m)^%b .*\r\n" % tags[0], reply):
                    reply += server.recv(65536)
                connection.sendall(reply)


@pytest.fixture
def corporate(lab: Lab) -> Lab:
    lab.add_mailbox(SEED, "pw")
    return lab


@pytest.mark.parametrize("answer", [None, b"BAD one command at a time\r\n"], ids=["drop", "bad"])
def test_a_server_that_takes_one_command_at_a_time_is_asked_so(
    corporate: Lab, serve: Start, mailbox: Open, wanted: Want, letter: Write, answer: bytes | None
) -> None:
    corporate.add_message(SEED, "Junk", letter(1))
    strict = OneAtATime(corporate.providers["corporate"].imap, answer)
    reader = mailbox(serve(strict).endpoint, address=SEED)

    assert [copy.folder for copy in reader.look([wanted(1)])] == ["Junk"]
    assert [copy.folder for copy in reader.look([wanted(1)])] == ["Junk"]

    assert len([size for size in strict.batches if size > 1]) == 1
    assert strict.connections == (2 if answer is None else 1)


def test_an_outage_amid_a_batch_does_not_slow_what_comes_after(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({})
    reader = mailbox(server.endpoint)
    usual, server.answers["EXAMINE"] = server.answers["EXAMINE"], None
    with pytest.raises(MailboxBusyError, match="closed the connection"):
        reader.look([wanted(1)])
    server.answers["EXAMINE"] = usual

    assert len(reader.look([wanted(1)])) == 1
    assert reader.round_trips == 4


def test_a_provider_known_to_be_so_is_asked_so_from_the_start(
    corporate: Lab, serve: Start, wanted: Want, letter: Write, facts: dict[str, ProviderFacts]
) -> None:
    corporate.add_message(SEED, "INBOX", letter(1))
    strict = OneAtATime(corporate.providers["corporate"].imap, None)
    account = Account(SEED, "corporate", serve(strict).endpoint, SEED, "pw")
    reader = ImapMailbox(account, replace(facts["corporate"], serial=True), timeout_s=5)

    assert len(reader.look([wanted(1)])) == 1
    assert (set(strict.batches), strict.connections) == ({1}, 1)
    reader.close()


def test_a_command_that_is_bad_one_by_one_too_does_not_slow_the_others(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({"UID SEARCH SINCE 1-Mar-2026 HEADER": b"TAG BAD no such key\r\n"})
    reader = mailbox(server.endpoint)

    for _ in range(3):
        assert len(reader.look([wanted(1)])) == 1

    assert reader.round_trips < 20


def count(messages: int, next_uid: int = 1, validity: int = 1) -> bytes:
    told = b"MESSAGES %d UIDNEXT %d UIDVALIDITY %d" % (messages, next_uid, validity)
    return b'* STATUS "Junk" (%b)\r\nTAG OK done\r\n' % told


@pytest.fixture
def counting(scripted: Start) -> Any:
    """A server that counts: a copy lies in its inbox, and Junk is empty."""

    def search(_: bytes) -> bytes:
        latest = [c for c in server.commands if c.startswith("EXAMINE")][-1]
        return (b"* SEARCH\r\n" if "Junk" in latest else b"* SEARCH 7\r\n") + NOTHING

    empty = b"* 0 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 1] x\r\nTAG OK done\r\n"
    server = scripted({"LOGIN": OFFERS % b"LIST-STATUS", "LIST": TWO_FOLDERS})
    server.answers |= {'EXAMINE "Junk"': empty, "UID SEARCH": search, "STATUS": count(0)}
    return server


def opened(server: Any) -> int:
    return sum(command == 'EXAMINE "Junk"' for command in server.commands)


def test_a_folder_that_holds_no_copy_is_counted_and_left_closed(
    counting: Any, mailbox: Open, wanted: Want
) -> None:
    reader = mailbox(counting.endpoint)
    reader.look([wanted(1)])
    before = opened(counting)

    assert [copy.folder for copy in reader.look([wanted(1)])] == ["INBOX"]

    assert opened(counting) == before
    assert counting.commands[-1].startswith('STATUS "Junk"')  # never of a folder that is open


@pytest.mark.parametrize(
    "answer",
    [
        count(1, next_uid=2),
        count(0, next_uid=2),
        count(0, validity=2),
        b'* STATUS "Bunk" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1)\r\nTAG OK done\r\n',
        b'* STATUS "Junk" (MESSAGES 0)\r\nTAG OK done\r\n',
        b"TAG NO not now\r\n",
    ],
    ids=["came", "came and went", "anew", "another", "half", "refused"],
)
def test_a_folder_whose_count_is_not_what_it_was_is_opened(
    counting: Any, mailbox: Open, wanted: Want, answer: bytes
) -> None:
    reader = mailbox(counting.endpoint)
    reader.look([wanted(1)])
    before = opened(counting)
    counting.answers["STATUS"] = answer

    assert [copy.folder for copy in reader.look([wanted(1)])] == ["INBOX"]

    assert opened(counting) > before


@pytest.mark.parametrize(
    ("told", "trips"), [(b"* OK [UIDNEXT 8] x\r\n", 1), (b"* OK [UIDNEXT 12] x\r\n", 2), (b"", 2)]
)
def test_what_has_come_since_is_fetched_where_the_server_tells_of_it_or_tells_nothing(
    scripted: Start, mailbox: Open, wanted: Want, told: bytes, trips: int
) -> None:
    server = scripted({})
    reader = mailbox(server.endpoint)
    reader.look([wanted(1)])
    before = reader.round_trips
    server.answers["EXAMINE"] = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n" + told + NOTHING

    assert len(reader.look([wanted(1)])) == 1

    assert reader.round_trips == before + trips
    fetches = [c for c in server.commands if c.startswith("UID FETCH 8:*")]
    assert len(fetches) == trips - 1


def test_nothing_is_called_missing_by_a_count(counting: Any, mailbox: Open, wanted: Want) -> None:
    """Counts can be out of date: where a copy is missed, every folder is opened."""
    reader = mailbox(counting.endpoint)
    reader.look([wanted(1)])
    before = opened(counting)

    assert len(reader.look([wanted(1), wanted(2)])) == 1

    assert opened(counting) > before
    assert [c for c in counting.commands if c.startswith("STATUS")] == []


def test_searches_are_answered_in_ranges_where_the_server_can(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    def ranges(tag: bytes) -> bytes:
        return b'* ESEARCH (TAG "%b") UID ALL 5:7\r\nTAG OK done\r\n' % tag

    server = scripted({"LOGIN": OFFERS % b"ESEARCH", "UID SEARCH RETURN (ALL) ": ranges})

    assert [copy.folder for copy in mailbox(server.endpoint).look([wanted(1)])] == ["INBOX"]

    searches = [c for c in server.commands if c.startswith("UID SEARCH")]
    assert all(c.startswith("UID SEARCH RETURN (ALL) SINCE ") for c in searches)


def test_a_server_that_answers_only_in_utf_8_is_told_that_we_read_it(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    """RFC 6855: with UTF8=ONLY it refuses all else."""
    listed = '* LIST () "/" INBOX\r\n* LIST () "/" "Courrier indésirable"\r\nTAG OK done\r\n'
    server = scripted(
        {
            "LOGIN": OFFERS % b"UTF8=ONLY NAMESPACE",
            "ENABLE": b"* ENABLED UTF8=ACCEPT\r\nTAG OK done\r\n",
            "NAMESPACE": b'* NAMESPACE (("" "/")) (("Boss/" "/")) NIL\r\nTAG OK done\r\n',
            "LIST": listed.encode() + b"",
        }
    )
    reader = mailbox(server.endpoint)

    reader.look([wanted(1)])

    assert server.commands[1] == "ENABLE UTF8=ACCEPT"
    sight = reader.layout()[1]
    assert (sight.name, sight.role) == ("Courrier indésirable", Role.SPAM)
    assert "UTF8=ONLY" in reader.capabilities


def test_further_messages_that_are_the_same_copy_are_counted(
    corporate: Lab, mailbox: Open, wanted: Want, letter: Write
) -> None:
    for folder in ("INBOX", "INBOX", "Junk", "Trash"):
        corporate.add_message(SEED, folder, letter(1))
    corporate.add_message(SEED, "INBOX", letter(2))
    reader = mailbox(corporate.providers["corporate"].imap, address=SEED)

    for _ in range(2):
        found = reader.look([wanted(1), wanted(2)])
        assert [(c.folder, c.duplicates) for c in found] == [("INBOX", 3), ("INBOX", 0)]


def test_a_message_under_two_of_gmail_s_labels_is_one_message(
    lab: Lab, mailbox: Open, wanted: Want, letter: Write
) -> None:
    address = "seed@gmail.lab.example"
    lab.add_mailbox(address, "pw")
    for folder in ("INBOX", "[Gmail]/Spam"):
        lab.add_message(address, folder, letter(1))

    (copy,) = mailbox(lab.providers["gmail"].imap, "gmail", address=address).look([wanted(1)])

    assert (copy.folder, copy.duplicates) == ("INBOX", 0)


def test_a_copy_that_only_its_wording_gives_away_is_found(
    corporate: Lab, mailbox: Open, clock: ManualClock, letter: Write
) -> None:
    """As for a campaign that the sender's own mail service sends, without any mark of ours."""
    words = b"Spring is here, and with it a letter of some length about shoes and gloves. " * 6
    raw = b"From: shop@brand.example\r\nSubject: Spring\r\nMessage-ID: <x@esp>\r\n\r\n" + words
    other = raw.replace(b"shoes", b"boots").replace(b"gloves", b"scarves and hats for everybody")
    mark = bodies.marks_of(raw).mark
    now = clock.now()
    one = Wanted(
        "<1@brand.example>", "tok", now, body_mark=mark, window_end=now + timedelta(days=1)
    )
    for number in range(60):
        corporate.add_message(SEED, "INBOX", letter(100 + number))
    corporate.add_message(SEED, "Junk", other)
    corporate.add_message(SEED, "Junk", raw)
    reader = mailbox(corporate.providers["corporate"].imap, address=SEED)

    found = reader.look([one]) or reader.look([one])

    assert [(c.folder, c.match) for c in found] == [("Junk", Match.BODY_HASH)]
    assert found[0].headers.startswith(b"From: shop@brand.example")
    assert corporate.flags(SEED, "Junk") == [set(), set()]


def test_new_mail_ends_a_wait(corporate: Lab, mailbox: Open, wanted: Want, letter: Write) -> None:
    reader = mailbox(corporate.providers["corporate"].imap, address=SEED)
    reader.look([wanted(1)])
    delivery = threading.Timer(0.1, corporate.add_message, (SEED, "INBOX", letter(1)))
    delivery.start()

    assert reader.wait(10) is True

    assert [copy.folder for copy in reader.look([wanted(1)])] == ["INBOX"]
    delivery.join()


def test_a_wait_ends_with_its_time_and_deletions_are_no_news(
    corporate: Lab, mailbox: Open, wanted: Want, letter: Write
) -> None:
    reader = mailbox(corporate.providers["corporate"].imap, address=SEED)

    assert reader.wait(0.05) is False
    assert reader.look([wanted(1)]) == []


def test_where_waiting_is_not_offered_nobody_waits(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({})

    assert mailbox(server.endpoint).wait(60) is False
    assert "IDLE" not in server.commands


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"TAG NO not now\r\n", "does not wait for new mail"),
        (b"+ idling\r\n* BYE enough\r\n", "ended the wait"),
        (b"+ idling\r\nTAG OK done\r\n", "ended the wait"),
        (None, "closed the connection"),
    ],
)
def test_a_wait_that_the_server_ends_is_told(
    scripted: Start, mailbox: Open, answer: bytes | None, words: str
) -> None:
    server = scripted({"LOGIN": OFFERS % b"IDLE", "IDLE": answer})

    with pytest.raises(MailboxBusyError, match=words):
        mailbox(server.endpoint).wait(5)
