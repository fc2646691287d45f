"""Trouble with a mailbox: what cannot be looked at is never called empty."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.core.campaigns import Found, Wanted
from monitor.core.clock import ManualClock
from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.mailboxes import imap_stream
from monitor.mailboxes.imap import ImapMailbox

Start = Callable[..., Any]
Open = Callable[..., ImapMailbox]
Want = Callable[..., Wanted]
Write = Callable[..., bytes]

SEED = "seed@corporate.lab.example"
TWO_FOLDERS = b'* LIST () "/" INBOX\r\n* LIST () "/" %b\r\nTAG OK done\r\n'
GONE = b"TAG OK done\r\n"


def places(found: list[Found]) -> list[str]:
    return [copy.folder for copy in found]


def run_lab(rule: str, clock: ManualClock) -> Lab:
    lab = Lab(load_scenario(f"[[rule]]\n{rule}", name="test"), clock=clock, seed=1)
    lab.add_mailbox(SEED, "pw")
    return lab


@pytest.mark.parametrize(
    ("rule", "error", "words"),
    [
        ('action = "imap_busy"', MailboxBusyError, "does not open ([UNAVAILABLE] Server busy"),
        ('action = "imap_lock"', MailboxLockedError, "sign-in refused ([ALERT] Please log in"),
        ('action = "imap_outage"', MailboxBusyError, "the server closed the connection"),
        ('action = "imap_slow"\nwait = "2s"', MailboxBusyError, "did not answer within 0.3 s"),
    ],
)
def test_trouble_of_the_provider_is_told(
    mailbox: Open, wanted: Want, clock: ManualClock, rule: str, error: type[Exception], words: str
) -> None:
    with run_lab(rule, clock) as lab:
        reader = mailbox(lab.providers["corporate"].imap, address=SEED, timeout_s=0.3)

        with pytest.raises(error) as caught:
            reader.look([wanted(1)])

    assert words in str(caught.value)


def test_after_the_trouble_the_same_mailbox_reads_on(
    mailbox: Open, wanted: Want, letter: Write, clock: ManualClock
) -> None:
    with run_lab('action = "imap_outage"\nfrom = "1h"\nuntil = "2h"', clock) as lab:
        lab.add_message(SEED, "INBOX", letter(1))
        reader = mailbox(lab.providers["corporate"].imap, address=SEED)
        assert places(reader.look([wanted(1)])) == ["INBOX"]

        clock.sleep(timedelta(minutes=90))
        with pytest.raises(MailboxBusyError):
            reader.look([wanted(1)])

        clock.sleep(timedelta(hours=1))
        assert places(reader.look([wanted(1)])) == ["INBOX"]


def test_a_limit_of_connections_is_temporary(
    mailbox: Open, wanted: Want, clock: ManualClock
) -> None:
    with run_lab('action = "imap_limit"\nconnections = 1', clock) as lab:
        endpoint = lab.providers["corporate"].imap
        mailbox(endpoint, address=SEED).look([wanted(1)])

        with pytest.raises(MailboxBusyError, match=r"\[LIMIT\]"):
            mailbox(endpoint, address=SEED).look([wanted(1)])


def test_a_wrong_password_does_not_lock_out_the_right_one(
    mailbox: Open, wanted: Want, clock: ManualClock
) -> None:
    with run_lab('action = "delay"\ndelay = "1m"', clock) as lab:
        endpoint = lab.providers["corporate"].imap
        with pytest.raises(MailboxLockedError):
            mailbox(endpoint, address=SEED, password="no").look([wanted(1)])

        assert mailbox(endpoint, address=SEED).look([wanted(1)]) == []


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        (b"Junk", b"TAG NO [UNAVAILABLE] later\r\n"),
        (b"Junk", b"TAG NO [NOPERM] not yours\r\n"),
        (b"Junk", b"TAG BAD what?\r\n"),
        (b"Quarantine", b"TAG NO sorry\r\n"),
        (b"Brand", b"TAG NO [INUSE] later\r\n"),
    ],
)
def test_a_folder_that_may_hold_the_copy_and_does_not_open_means_later(
    scripted: Start, mailbox: Open, wanted: Want, name: bytes, refusal: bytes
) -> None:
    server = scripted({"LIST": TWO_FOLDERS % name, f'EXAMINE "{name.decode()}"': refusal})

    with pytest.raises(MailboxBusyError, match=f"folder {name.decode()} does not open"):
        mailbox(server.endpoint).look([wanted(2)])


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        (b"Junk", b"TAG NO [NONEXISTENT] gone\r\n"),
        (b"Junk", b"TAG NO Mailbox doesn't exist: Junk\r\n"),
        (b"Brand", b"TAG NO [NOPERM] not yours\r\n"),
    ],
)
def test_a_folder_that_vanished_or_is_not_ours_is_left_out(
    scripted: Start, mailbox: Open, wanted: Want, name: bytes, refusal: bytes
) -> None:
    """The commands that follow a refused EXAMINE may be about another folder."""
    server = scripted({"LIST": TWO_FOLDERS % name, f'EXAMINE "{name.decode()}"': refusal})

    assert places(mailbox(server.endpoint).look([wanted(1)])) == ["INBOX"]


def test_an_inbox_that_does_not_open_means_later(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({"EXAMINE": b"TAG NO [NONEXISTENT] no such mailbox\r\n"})

    with pytest.raises(MailboxBusyError, match="folder INBOX does not open"):
        mailbox(server.endpoint).look([wanted(1)])


@pytest.mark.parametrize("command", ["UID SEARCH SINCE 1-Mar-2026\r", "UID FETCH"])
def test_a_refused_question_is_no_answer(
    scripted: Start, mailbox: Open, wanted: Want, command: str
) -> None:
    refused = {"UID SEARCH": b"TAG NO [SERVERBUG] oops\r\n", "UID FETCH": b"TAG BAD what?\r\n"}
    key = command[:10].rstrip() if command.startswith("UID SEARCH") else command
    server = scripted({key: refused[key]})

    with pytest.raises(MailboxBusyError, match="folder INBOX cannot be read"):
        mailbox(server.endpoint).look([wanted(1)])


def test_a_server_that_cannot_search_headers_is_read_all_the_same(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({"UID SEARCH SINCE 1-Mar-2026 HEADER": b"TAG BAD no such key\r\n"})

    assert places(mailbox(server.endpoint).look([wanted(1)])) == ["INBOX"]


def test_the_last_message_again_is_no_news(scripted: Start, mailbox: Open, wanted: Want) -> None:
    """A range "8:*" brings message 7 where nothing is newer (RFC 3501 section 6.4.8)."""
    server = scripted({})
    reader = mailbox(server.endpoint)
    assert places(reader.look([wanted(1)])) == ["INBOX"]

    server.answers["UID SEARCH UID"] = b"* SEARCH\r\nTAG OK done\r\n"
    server.answers["UID SEARCH SINCE"] = b"* SEARCH\r\nTAG OK done\r\n"

    assert reader.look([wanted(1, was_found=True), wanted(2)]) == []
    assert any(command.startswith("UID FETCH 8:*") for command in server.commands)


def test_a_copy_that_vanishes_while_we_look_is_looked_for_again(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    """It may have moved to a folder that had been asked already."""
    server = scripted({"UID FETCH": GONE})

    assert mailbox(server.endpoint).look([wanted(1)]) == []
    server.answers["UID FETCH"] = GONE
    searches = [c for c in server.commands if c == "UID SEARCH SINCE 1-Mar-2026"]
    assert len(searches) == 1

    assert mailbox(server.endpoint).look([wanted(1, was_found=True)]) == []
    assert len([c for c in server.commands if c == searches[0]]) == 3


def test_a_kept_connection_that_was_closed_is_opened_again(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({})
    reader = mailbox(server.endpoint)
    reader.look([wanted(1)])

    server.hang_up()

    assert places(reader.look([wanted(1)])) == ["INBOX"]
    assert server.connections == 2


def test_a_server_that_always_closes_is_tried_no_more_than_three_times(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({})
    reader = mailbox(server.endpoint)
    reader.look([wanted(1)])

    server.answers["EXAMINE"] = None

    with pytest.raises(MailboxBusyError, match="the server closed the connection"):
        reader.look([wanted(1)])
    assert server.connections == 3  # the kept one, a new one, one that asks one by one


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"* 1 FETCH (UID 7 BODY[HEADER] {99999999}\r\nx", "sends 99999999 bytes in one piece"),
        (b"* 1 FETCH (" + b"x" * 1_200_000, "sends a line without end"),
        (b"* 1 FETCH (" + b"{0}\r\n" * 200, "sends 0 bytes in one piece"),
        (b"* x\r\n" * 210_000, "sends too many responses"),
        (b"* " + b"x" * 1_000_000 + b"\r\n", "more than"),
        (b"S2 OK S2 again\r\n", "answers what was not asked"),
        (b"* BYE enough\r\n", "said goodbye"),
    ],
    ids=["literal", "line", "literals", "responses", "bytes", "order", "bye"],
)
def test_a_flood_is_cut_off(
    scripted: Start, mailbox: Open, wanted: Want, answer: bytes, words: str
) -> None:
    times = 60 if words == "more than" else 1
    server = scripted({"UID FETCH": answer * times})

    with pytest.raises(MailboxBusyError, match=words):
        mailbox(server.endpoint).look([wanted(1)])


def test_garbage_between_the_answers_is_passed_over(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    noise = b"* \xff\xfe (((\r\n\r\n* 12 FETCH (UID)\r\n* OK [[]] \r\n+ what\r\n"
    server = scripted({})
    server.answers["UID SEARCH"] = noise + b"* SEARCH 7 x -1 (8\r\nTAG OK done\r\n"

    assert places(mailbox(server.endpoint).look([wanted(1)])) == ["INBOX"]


def test_a_server_may_answer_side_by_side(scripted: Start, mailbox: Open, wanted: Want) -> None:
    """Dovecot ends a SEARCH before the FETCH that came before it."""
    server = scripted({})
    reader = mailbox(server.endpoint)
    reader.look([wanted(1)])
    server.answers["UID FETCH"] = b"* 1 FETCH (UID 7 BODY[HEADER] NIL)\r\n"
    ended = b"TAG OK done\r\n"

    def fetch_ends_last(tag: bytes) -> bytes:
        number = int(tag[1:])
        return b"* SEARCH 7\r\n" + ended + b"S%d OK late\r\n" % (number - 1)

    server.answers["UID SEARCH UID"] = fetch_ends_last

    assert places(reader.look([wanted(1)])) == ["INBOX"]


def test_a_flood_of_new_mail_is_searched_by_date_the_next_time(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({})
    reader = mailbox(server.endpoint)
    reader.look([wanted(1)])
    server.answers["UID FETCH 8:*"] = b"* 1 FETCH (UID 9 BODY[] {99999999}\r\n"
    with pytest.raises(imap_stream.FloodError):
        reader.look([wanted(1), wanted(2)])

    assert places(reader.look([wanted(1)])) == ["INBOX"]


def test_a_folder_without_uidnext_is_searched_each_time(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({"EXAMINE": b"* 0 EXISTS\r\nTAG OK done\r\n", "UID SEARCH": GONE})
    reader = mailbox(server.endpoint)

    assert [reader.look([wanted(1)]) for _ in range(2)] == [[], []]
    assert [c for c in server.commands if c.startswith("UID FETCH")] == []


def test_closing_never_raises(scripted: Start, mailbox: Open, wanted: Want) -> None:
    server = scripted({})
    reader = mailbox(server.endpoint)
    reader.close()
    reader.look([wanted(1)])
    server.stop()

    reader.close()
    reader.close()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(["LOGIN", "LIST", "EXAMINE", "UID SEARCH", "UID FETCH"]),
    st.binary(max_size=80)
    | st.text('* 17 FETCH(UID)BODY[]{}<>"\\\r\n', max_size=80).map(str.encode),
)
def test_no_answer_makes_anything_but_a_find_or_an_honest_error(
    scripted: Start, mailbox: Open, wanted: Want, command: str, noise: bytes
) -> None:
    server = scripted({command: b"* " + noise + b"\r\nTAG OK done\r\n"})
    reader = mailbox(server.endpoint, timeout_s=0.2)
    with suppress(MailboxBusyError, MailboxLockedError):
        assert places(reader.look([wanted(1)])) in ([], ["INBOX"])
    reader.close()
    server.stop()
