"""Our IMAP server says what Dovecot says: the same commands to both, the replies compared."""

import re

import pytest

from monitor.lab.lab import Lab
from tests.lab.bare_imap import BareImap

FIRST = (
    b"From: Ann <ann@x.example>\r\nTo: b@x.example\r\nSubject: hello\r\n"
    b"Date: Mon, 2 Mar 2026 01:00:00 +0000\r\nMessage-ID: <one@x.example>\r\n"
    b"X-Seedwatch-Test: t1\r\nX-Long: a\r\n b\r\n\r\nbody one\r\n"
)
SECOND = FIRST.replace(b"t1", b"t2").replace(b"hello", b"second").replace(b"one@", b"two@")
BARE = b"Subject: header only\r\n\r\n"

Step = bytes | tuple[bytes, bytes]  # a command, or one with its literal

FOLDERS: list[Step] = [
    b'LIST "" ""',
    b'LIST "" INBOX',
    b'LIST "" inbox',
    b"CREATE T1",
    b"CREATE T1",
    b"CREATE T2",
    b"CREATE T2/below",
    b'LIST "" "T%"',
    b'LIST "" "T*"',
    b'LIST "T2/" "*"',
    b'LIST "" ("T1" "T2")',
    b'LIST "" "T*" RETURN (STATUS (MESSAGES UIDNEXT))',
    b'LIST (SPECIAL-USE) "" "*"',
    b"LIST",
    b"NAMESPACE",
    b"STATUS T1 (MESSAGES UIDNEXT UNSEEN)",
    b"STATUS Nope (MESSAGES)",
    b"STATUS T1 (NOPE)",
    b"STATUS T1 ()",
    b"SUBSCRIBE T1",
    b"SUBSCRIBE Nope",
]
NOTHING_OPEN: list[Step] = [
    b"UID SEARCH ALL",
    b"FETCH 1 FLAGS",
    b"CLOSE",
    b"UNSELECT",
    b"EXPUNGE",
    b"FROB",
    b"NOOP",
    b"CHECK",
    b"LOGIN again pw",
    b"SELECT Nope",
    b"SELECT T1",
    b"UID SEARCH ALL",
    b"UID FETCH 1:* FLAGS",
    b"SEARCH 1",
    b"UID SEARCH UID 1:*",
]
ARRIVALS: list[Step] = [
    (b"APPEND T1", FIRST),
    (b'APPEND T1 (\\Seen \\Flagged) "02-Mar-2026 23:30:00 -0800"', SECOND),
    (b'APPEND T1 () " 1-Mar-2026 10:00:00 +0000"', BARE),
    (b"APPEND Nope", FIRST),
    b"APPEND T1",
    b"NOOP",
    b"STATUS T1 (MESSAGES UIDNEXT UNSEEN)",
    b"SELECT T1",
]
SEARCHES: list[Step] = [
    b"UID SEARCH HEADER X-Seedwatch-Test t2",
    b"UID SEARCH HEADER x-seedwatch-test T1",
    b'UID SEARCH HEADER X-Seedwatch-Test ""',
    b'UID SEARCH HEADER "Message-ID" "<two@x.example>"',
    b"UID SEARCH HEADER Nope x",
    b"UID SEARCH HEADER X-Long a",
    b"SEARCH UNSEEN",
    b"SEARCH NOT SEEN",
    b"SEARCH FLAGGED UNDELETED",
    b"SEARCH OR SUBJECT hello SUBJECT nope",
    b"SEARCH OR (SUBJECT hello FROM ann) SEEN",
    b"SEARCH NOT (SEEN FLAGGED)",
    b"SEARCH BODY one",
    b"SEARCH TEXT SECOND",
    b"SEARCH LARGER 100",
    b"SEARCH SMALLER 100",
    b"SEARCH ON 1-Mar-2026",
    b"SEARCH BEFORE 2-Mar-2026",
    b"SEARCH SINCE 1-Mar-2026",
    b"SEARCH SINCE yesterday",
    b"SEARCH KEYWORD Nope",
    b"SEARCH 2",
    b"SEARCH 1,3",
    b"SEARCH 2:*",
    b"SEARCH *",
    b"UID SEARCH UID 2:*",
    b"UID SEARCH UID 99:*",
    b"UID SEARCH UID 1,2,3:3",
    b"UID SEARCH UID",
    b"UID SEARCH",
    b"UID SEARCH FROM ann TO b@x",
    b"UID SEARCH CHARSET UTF-8 SUBJECT hello",
    b"UID SEARCH CHARSET KLINGON SUBJECT hello",
    b"UID SEARCH RETURN (ALL COUNT) ALL",
    b"UID SEARCH RETURN (MIN MAX) ALL",
    b"UID SEARCH RETURN () ALL",
    b"UID SEARCH RETURN (COUNT) SUBJECT nope",
    b"UID SEARCH FROBNICATE",
    b"UID SEARCH (ALL",
    (b"UID SEARCH SUBJECT", b"hello"),
]
FETCHES: list[Step] = [
    b"UID FETCH 1:* (FLAGS RFC822.SIZE)",
    b"UID FETCH 1:* FLAGS",
    b"FETCH 1:* (UID)",
    b"FETCH 2 FAST",
    b"UID FETCH 3 (INTERNALDATE)",
    b"UID FETCH 1 (BODY.PEEK[HEADER.FIELDS (X-SEEDWATCH-TEST SUBJECT)])",
    b'UID FETCH 1 (BODY.PEEK[HEADER.FIELDS ("Subject" to)])',
    b"UID FETCH 1 BODY.PEEK[HEADER.FIELDS (X-LONG)]",
    b"UID FETCH 1 BODY.PEEK[HEADER.FIELDS (NOPE)]",
    b"UID FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (FROM TO DATE)]",
    b"UID FETCH 1:3 BODY.PEEK[HEADER]",
    b"UID FETCH 1:3 BODY.PEEK[TEXT]",
    b"UID FETCH 1 BODY.PEEK[TEXT]<2.4>",
    b"UID FETCH 2 BODY.PEEK[]<0.10>",
    b"UID FETCH 2 BODY.PEEK[]<9999.10>",
    b"UID FETCH 2 BODY.PEEK[HEADER]<5.6>",
    b"UID FETCH 2 (RFC822.HEADER)",
    b"UID FETCH 99 (FLAGS)",
    b"UID FETCH 99:* (UID)",
    b"UID FETCH 1 (FLAGS",
    b"UID FETCH 1 (FROB)",
    b"UID FETCH 1 ()",
    b"UID FETCH one FLAGS",
    b"UID FETCH 1:2:3 FLAGS",
    b"UID FETCH 0 FLAGS",
    b"UID FETCH 1,1,2 (UID)",
    b"UID FETCH 1 (BODY.PEEK[NOPE])",
    b"UID FETCH 3 (BODY[])",
    b"UID FETCH 3 (FLAGS)",
    b"FETCH 1 (BODY[TEXT])",
    b"FETCH 1 (FLAGS)",
]
CHANGES: list[Step] = [
    b"UID STORE 1 +FLAGS (\\Flagged)",
    b"UID STORE 1 -FLAGS.SILENT (\\Flagged)",
    b"STORE 1 FLAGS (\\Deleted custom)",
    b"SEARCH KEYWORD custom",
    b"SEARCH DELETED",
    b"UID STORE 1 FLAGS ()",
    b"UID STORE 1 FROB (\\Seen)",
    b"UID COPY 1 T2",
    b"UID COPY 1:3 Nope",
    b"UID COPY 77 T2",
    b"UID MOVE 2 T2",
    b"UID SEARCH ALL",
    b"STATUS T2 (MESSAGES)",
    b"NOOP",
    b"UID STORE 1,3 +FLAGS.SILENT (\\Deleted)",
    b"UID EXPUNGE 3",
    b"EXPUNGE",
    b"UID SEARCH ALL",
    b"EXAMINE T2",
    b"UID FETCH 1 BODY[TEXT]",
    b"UID FETCH 1 (FLAGS)",
    b"UNSELECT",
    b"SELECT T2",
    b"STORE 1 +FLAGS.SILENT (\\Deleted)",
    b"CLOSE",
    b"STATUS T2 (MESSAGES)",
    b"LOGOUT",
]
# Left out, because ours is stricter on purpose: a date such as 31-Feb (Dovecot reckons on),
# and STORE in a folder opened by EXAMINE (Dovecot says OK and does nothing).
STEPS = FOLDERS + NOTHING_OPEN + ARRIVALS + SEARCHES + FETCHES + CHANGES

# What the standard leaves to a server's taste, or what depends on its storage.
TASTE = re.compile(
    r"\* (FLAGS \(|OK \[(PERMANENTFLAGS|HIGHESTMODSEQ|UNSEEN|UIDVALIDITY|CLOSED)|\d+ RECENT|BYE)"
)


def normalised(reply: list[bytes]) -> list[str]:
    """Keep what a client acts on: results, codes with their numbers, and OK, NO or BAD."""
    lines = []
    for raw in reply:
        line = raw.decode("latin-1").rstrip("\r\n")
        if TASTE.match(line):
            continue
        line = re.sub(r"\[(COPYUID|APPENDUID) \d+", r"[\1 V", line)
        done = re.match(
            r"(?:t\d+|\*) (OK|NO|BAD)(?: \[((?:COPYUID|APPENDUID|UIDNEXT)[^]]*)\])?", line
        )
        if done:
            line = f"{done[1]} {done[2] or ''}".strip()
        line = re.sub(r'TAG "\w+"', "TAG", line)
        line = re.sub(r" ?\\Recent", "", re.sub(r" MODSEQ \(\d+\)", "", line))
        line = line.replace("FLAGS ( ", "FLAGS (")
        line = re.sub(r'"([A-Z][/\w]*)"', r"\1", line)
        line = re.sub(r"LIST \(([^)]*)\)", lambda m: f"LIST {sorted(m[1].split())}", line)
        lines.append(line)
    return sorted(lines)


def transcript(port: int, address: bytes) -> list[list[str]]:
    with BareImap(port) as client:
        client.run(b"LOGIN %s pw" % address)
        replies = [client.run(s) if isinstance(s, bytes) else client.run(*s) for s in STEPS]
        return [normalised(reply) for reply in replies]


@pytest.mark.real
def test_every_command_is_answered_as_dovecot_answers_it(lab: Lab, dovecot_port: int) -> None:
    """Each difference is shown with its command, ours first."""
    lab.add_mailbox("seed@corporate.lab.example", "pw")
    ours = transcript(lab.providers["corporate"].imap.port, b"seed@corporate.lab.example")

    theirs = transcript(dovecot_port, b"seed@corporate.lab.example")

    different = [
        f"{s!r}\n  ours   {o}\n  theirs {t}"
        for s, o, t in zip(STEPS, ours, theirs, strict=True)
        if o != t
    ]
    assert not different, "\n".join(different)
