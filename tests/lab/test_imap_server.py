"""The IMAP server as a careful client, a careless one and a hostile one meet it."""

import base64
import imaplib
from datetime import timedelta

import pytest

from monitor.core.clock import ManualClock
from monitor.lab.lab import Lab
from tests.lab.bare_imap import BareImap
from tests.lab.letters import PASSWORD, first_in, letter, post, reading

ADDRESS = "seed@corporate.lab.example"
GMAIL = "seed@gmail.lab.example"
CREDENTIALS = base64.b64encode(f"\0{ADDRESS}\0{PASSWORD}".encode())


@pytest.fixture
def port(lab: Lab) -> int:
    lab.add_mailbox(ADDRESS, PASSWORD)
    return lab.providers["corporate"].imap.port


def signed_in(port: int, address: str = ADDRESS) -> BareImap:
    client = BareImap(port)
    assert b" OK " in client.run(f'LOGIN {address} "{PASSWORD}"'.encode())[-1]
    return client


def last(reply: list[bytes]) -> bytes:
    return reply[-1].partition(b" ")[2]


def test_an_examined_folder_keeps_no_trace_of_reading(lab: Lab, port: int) -> None:
    """This is how a test proves that our reader leaves none."""
    post(lab, ADDRESS, letter())
    with signed_in(port) as client:
        client.run(b"EXAMINE INBOX")
        client.run(b"UID FETCH 1:* (BODY[])")
        refused = client.run(b"UID STORE 1 +FLAGS (\\Seen)")

    assert lab.flags(ADDRESS, "INBOX") == [set()]
    assert last(refused).startswith(b"NO [READ-ONLY]")


def test_fetching_a_body_after_select_marks_the_message_as_read(lab: Lab, port: int) -> None:
    post(lab, ADDRESS, letter(1))
    post(lab, ADDRESS, letter(2))
    with signed_in(port) as client:
        client.run(b"SELECT INBOX")
        client.run(b"UID FETCH 1 (BODY.PEEK[])")
        client.run(b"UID FETCH 2 (BODY[TEXT])")

    assert lab.flags(ADDRESS, "INBOX") == [set(), {"\\Seen"}]


def test_several_commands_in_one_write_are_answered_in_order(lab: Lab, port: int) -> None:
    post(lab, ADDRESS, letter())
    before = lab.stats["corporate"].imap_round_trips
    with signed_in(port) as client:
        client.send(b"a EXAMINE INBOX\r\nb UID SEARCH ALL\r\nc EXAMINE Junk\r\nd NOOP\r\n")
        lines = client.until(b"d")

    done = [line[:4] for line in lines if not line.startswith(b"*")]
    assert done == [b"a OK", b"b OK", b"c OK", b"d OK"]
    assert b"* SEARCH 1\r\n" in lines
    assert lab.stats["corporate"].imap_round_trips - before <= 3  # login, batch, hanging up


def test_literals_may_be_announced_or_just_sent(port: int) -> None:
    with BareImap(port) as client:
        client.send(b"a LOGIN {%d+}\r\n%s {%d+}\r\n" % (len(ADDRESS), ADDRESS.encode(), 10))
        client.send(PASSWORD.encode() + b"\r\n")
        assert client.until(b"a")[-1].startswith(b"a OK")
        appended = client.run(b"APPEND INBOX (\\Seen)", b"Subject: x\r\n\r\ny\r\n")

    assert last(appended).startswith(b"OK [APPENDUID")


@pytest.mark.parametrize("at_once", [True, False])
def test_plain_sasl_works_with_an_initial_response_and_without(port: int, at_once: bool) -> None:
    with BareImap(port) as client:
        if at_once:
            client.send(b"a AUTHENTICATE PLAIN %s\r\n" % CREDENTIALS)
        else:
            client.send(b"a AUTHENTICATE PLAIN\r\n")
            assert client.line().startswith(b"+")
            client.send(CREDENTIALS + b"\r\n")
        assert client.until(b"a")[-1].startswith(b"a OK")
        assert last(client.run(b"SELECT INBOX")).startswith(b"OK")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"AUTHENTICATE PLAIN !!!", b"BAD"),
        (b"AUTHENTICATE PLAIN AGEAYg==", b"NO [AUTHENTICATIONFAILED]"),
        (b"AUTHENTICATE KERBEROS_V4", b"NO"),
        (b"LOGIN seed@corporate.lab.example wrong", b"NO [AUTHENTICATIONFAILED]"),
        (b"LOGIN nobody@corporate.lab.example pw", b"NO [AUTHENTICATIONFAILED]"),
        (b"LOGIN only-a-name", b"BAD"),
        (b"SELECT INBOX", b"BAD"),
        (b"IDLE", b"BAD"),
        (b'LIST "" "*"', b"BAD"),
    ],
)
def test_nobody_comes_in_without_the_right_password(
    port: int, command: bytes, answer: bytes
) -> None:
    with BareImap(port) as client:
        assert last(client.run(command)).startswith(answer)


def test_a_mailbox_is_served_by_its_own_provider_only(lab: Lab, port: int) -> None:
    elsewhere = lab.providers["gmx"].imap.port
    with BareImap(elsewhere) as client:
        reply = client.run(f'LOGIN {ADDRESS} "{PASSWORD}"'.encode())

    assert last(reply).startswith(b"NO [AUTHENTICATIONFAILED]")


def test_an_idle_client_hears_of_new_mail(lab: Lab, port: int) -> None:
    with signed_in(port) as client:
        client.run(b"SELECT INBOX")
        client.send(b"i IDLE\r\n")
        assert client.line().startswith(b"+")
        post(lab, ADDRESS, letter())
        assert client.line() == b"* 1 EXISTS\r\n"
        client.send(b"DONE\r\n")
        assert client.until(b"i")[-1].startswith(b"i OK")


def test_a_session_is_told_what_others_removed(port: int) -> None:
    with signed_in(port) as one, signed_in(port) as other:
        one.run(b"APPEND INBOX", b"Subject: 1\r\n\r\n")
        one.run(b"APPEND INBOX", b"Subject: 2\r\n\r\n")
        one.run(b"SELECT INBOX")
        other.run(b"SELECT INBOX")
        other.run(b"UID MOVE 1 Junk")

        assert b"* 1 EXPUNGE\r\n" in one.run(b"NOOP")
        assert b"* SEARCH 2\r\n" in one.run(b"UID SEARCH ALL")


@pytest.mark.parametrize(
    "junk",
    [
        b"\r\n",
        b"\x00\xff\xfe\r\n",
        b"a\r\n",
        b"a (((((((((((((((((((((((((((\r\n",
        b"a UID\r\n",
        b"a SEARCH " + b"NOT " * 500 + b"ALL\r\n",
        b"a FETCH 1 (" + b"UID " * 500 + b")\r\n",
        b"a SELECT {0}\r\n",
        b'a LIST "" "' + b"*a" * 400 + b'"\r\n',
        b'a SELECT "unfinished\r\n',
    ],
)
def test_junk_is_answered_and_the_session_goes_on(port: int, junk: bytes) -> None:
    with signed_in(port) as client:
        client.send(junk + (b"\r\n" if b"{0}" in junk else b""))
        client.send(b"end NOOP\r\n")

        assert client.until(b"end")[-1].startswith(b"end OK")


@pytest.mark.parametrize(
    "flood", [b"a" * 70_000, b"a APPEND INBOX {99999999}\r\n", b"a LOGIN {9999999999}\r\n"]
)
def test_a_flood_ends_the_connection(port: int, flood: bytes) -> None:
    with signed_in(port) as client:
        client.send(flood)
        assert client.line() == b"* BYE Command too long\r\n"
        assert client.line() == b""


def test_fetching_a_slice_of_a_huge_message_costs_a_slice(lab: Lab, port: int) -> None:
    raw = b"Subject: huge\r\nMessage-ID: <huge@x>\r\n\r\n" + (b"x" * 998 + b"\r\n") * 50_000
    lab.add_message(ADDRESS, "INBOX", raw)
    with signed_in(port) as client:
        client.run(b"EXAMINE INBOX")
        reply = client.run(b"UID FETCH 1 (RFC822.SIZE BODY.PEEK[]<0.60> BODY.PEEK[TEXT]<990.20>)")

    assert b"RFC822.SIZE %d " % len(raw) in reply[0]
    assert raw[:60] in reply[0]
    assert b"x" * 8 + b"\r\n" + b"x" * 10 in reply[0]
    assert len(reply[0]) < 300


def test_a_folder_of_twenty_thousand_messages_is_searched(lab: Lab, port: int) -> None:
    lab.fill(ADDRESS, 20_000)
    post(lab, ADDRESS, letter(7))
    with signed_in(port) as client:
        assert b"* 20001 EXISTS\r\n" in client.run(b"EXAMINE INBOX")
        found = client.run(b"UID SEARCH HEADER Message-ID <7@brand.example.com>")
        recent = client.run(b"UID FETCH 20001:* (UID)")

    assert found[0] == b"* SEARCH 20001\r\n"
    assert recent[0] == b"* 20001 FETCH (UID 20001)\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"no header at all",
        b"Subject: =?utf-8?B?broken?=\r\nFrom: \xff\xfe<>\r\n\r\n\x00\x01",
        b"Subject: only a header",
        b": no name\r\n\r\nbody",
        b"Subject: bare\nline: feeds\n\nbody\n",
        b"A" * 100_000,
    ],
)
def test_a_hostile_message_can_be_fetched_in_every_way(lab: Lab, port: int, raw: bytes) -> None:
    lab.add_message(ADDRESS, "INBOX", raw)
    with signed_in(port) as client:
        client.run(b"EXAMINE INBOX")
        for item in (b"[]", b"[HEADER]", b"[TEXT]", b"[HEADER.FIELDS (SUBJECT)]", b"[]<5.9>"):
            assert last(client.run(b"UID FETCH 1 (FLAGS BODY.PEEK%s)" % item)).startswith(b"OK")
        assert last(client.run(b"UID SEARCH OR SUBJECT x TEXT y")).startswith(b"OK")


def test_each_provider_names_its_folders_in_its_own_way(lab: Lab) -> None:
    """Gmail nests, Microsoft flags without announcing it, iCloud flags nothing."""
    listed: dict[str, list[bytes]] = {}
    for provider in lab.providers.values():
        lab.add_mailbox(address := f"seed@{provider.domain}", PASSWORD)
        with reading(lab, address) as client:
            listed[provider.id] = [line for line in client.list()[1] if isinstance(line, bytes)]

    names = {id_: {line.decode() for line in lines} for id_, lines in listed.items()}
    assert '(\\Junk \\HasNoChildren) "/" "[Gmail]/Spam"' in names["gmail"]
    assert '(\\Noselect \\HasChildren) "/" "[Gmail]"' in names["google_workspace"]
    assert '(\\Junk \\HasNoChildren) "/" "Junk"' in names["outlook"]
    assert '(\\Junk \\HasNoChildren) "/" "Junk Email"' in names["microsoft365"]
    assert '(\\Junk \\HasNoChildren) "/" "Bulk"' in names["yahoo"]
    assert '(\\HasNoChildren) "/" "Junk"' in names["icloud"]
    assert '(\\Junk \\HasNoChildren) "/" "Spam"' in names["gmx"]
    assert '(\\HasNoChildren) "/" "Quarantine"' in names["corporate"]


def test_one_command_lists_folders_with_their_use_and_state(lab: Lab) -> None:
    """What a careful reader asks where it is offered: one round trip for a whole mailbox."""
    lab.add_mailbox(GMAIL, PASSWORD)
    post(lab, GMAIL, letter())
    with signed_in(lab.providers["gmail"].imap.port, GMAIL) as client:
        reply = client.run(b'LIST "" "*" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT))')

    assert b'* LIST (\\Junk) "/" "[Gmail]/Spam"\r\n' in reply
    assert b'* STATUS "[Gmail]/Spam" (MESSAGES 0 UIDNEXT 1)\r\n' in reply
    assert b'* STATUS "INBOX" (MESSAGES 1 UIDNEXT 2)\r\n' in reply
    assert not [line for line in reply if line.startswith(b'* STATUS "[Gmail]"')]


def test_what_a_provider_does_not_offer_it_refuses(lab: Lab) -> None:
    lab.add_mailbox("seed@m365.lab.example", PASSWORD)
    with signed_in(lab.providers["microsoft365"].imap.port, "seed@m365.lab.example") as client:
        client.run(b"SELECT INBOX")
        for command in (
            b'LIST "" "*" RETURN (STATUS (MESSAGES))',
            b"UID SEARCH RETURN (COUNT) ALL",
            b'UID SEARCH X-GM-RAW "category:promotions"',
            b"UID FETCH 1:* (MODSEQ)",
            b"UID FETCH 1:* (X-GM-LABELS)",
        ):
            assert last(client.run(command)).startswith(b"BAD"), command


def test_gmail_tells_tabs_by_search_and_keeps_all_mail_without_spam(lab: Lab) -> None:
    lab.add_mailbox(GMAIL, PASSWORD)
    post(lab, GMAIL, letter(1))
    with signed_in(lab.providers["gmail"].imap.port, GMAIL) as client:
        client.run(b'EXAMINE "[Gmail]/All Mail"')
        assert client.run(b'UID SEARCH X-GM-RAW "category:primary"')[0] == b"* SEARCH 1\r\n"
        assert client.run(b'UID SEARCH X-GM-RAW "category:promotions"')[0] == b"* SEARCH\r\n"
        assert client.run(b"UID SEARCH X-GM-RAW rfc822msgid:1@brand.example.com")[0] == (
            b"* SEARCH 1\r\n"
        )
        labels = client.run(b"UID FETCH 1 (X-GM-LABELS X-GM-MSGID X-GM-THRID)")[0]
        number = labels.partition(b"X-GM-MSGID ")[2].split()[0]
        assert client.run(b"UID SEARCH X-GM-MSGID " + number)[0] == b"* SEARCH 1\r\n"

    assert b'X-GM-LABELS ("\\\\Inbox")' in labels


def test_changes_since_a_mod_sequence_can_be_asked_for(port: int) -> None:
    with signed_in(port) as client:
        client.run(b"APPEND INBOX", b"Subject: 1\r\n\r\n")
        client.run(b"APPEND INBOX", b"Subject: 2\r\n\r\n")
        client.run(b"ENABLE CONDSTORE")
        opened = b"".join(client.run(b"SELECT INBOX"))
        highest = opened.partition(b"HIGHESTMODSEQ ")[2].partition(b"]")[0]
        client.run(b"UID STORE 2 +FLAGS.SILENT (\\Seen)")
        changed = client.run(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %s)" % highest)

    assert changed[0].startswith(b"* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (")
    assert len(changed) == 2


def test_the_date_of_a_message_is_lab_time(lab: Lab, clock: ManualClock, port: int) -> None:
    clock.sleep(timedelta(hours=3))
    post(lab, ADDRESS, letter())
    with reading(lab, ADDRESS) as client:
        client.select("INBOX", readonly=True)
        answer = client.fetch("1", "(INTERNALDATE)")[1][0]

    assert isinstance(answer, bytes)
    assert b'"02-Mar-2026 11:00:00 +0000"' in answer
    assert b"Mon, 02 Mar 2026 11:00:00 +0000" in first_in(lab, ADDRESS)


def test_signing_in_with_the_standard_library_says_what_is_wrong(lab: Lab, port: int) -> None:
    assert port
    with (
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
        reading(lab, ADDRESS, "wrong"),
    ):
        pass
