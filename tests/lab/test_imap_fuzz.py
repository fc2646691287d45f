"""No command, however odd, is answered by anything but OK, NO or BAD."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.clock import ManualClock
from monitor.lab.imap_commands import HANDLERS, answer
from monitor.lab.imap_parse import BadCommandError, parse_command
from monitor.lab.imap_session import Session
from monitor.lab.mailboxes import Folder, LabMailbox, Message
from monitor.lab.providers import GMAIL
from monitor.lab.scenario import Scenario
from monitor.lab.world import World

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
WORDS = """
UID ALL NOT OR HEADER FROM SUBJECT TEXT SEEN SINCE ON KEYWORD RETURN CHARSET MODSEQ X-GM-RAW
X-GM-LABELS BODY[] BODY[TEXT] BODY.PEEK[HEADER] RFC822 FAST FLAGS +FLAGS -FLAGS.SILENT (\\Seen)
(STATUS (MESSAGES)) (MESSAGES UNSEEN) (COUNT) INBOX Nope 1 2 1:* *:1 0 99 1,2 4294967296
() ( ) (( )) "" * % [Gmail]/Spam
"""
PIECES = [
    *HANDLERS,
    *WORDS.split(),
    '"1-Mar-2026"',
    '" 1-Jan-0001 00:00:00 +1400"',
    '"category:promotions in:inbox x"',
    "BODY[HEADER.FIELDS (TO)]<0.5>",
    "BODY.PEEK[HEADER.FIELDS.NOT ()]",
    "(FLAGS) (CHANGEDSINCE 1)",
    "{3}\r\nabc",
    "{3+}\r\nab",
    "\x00",
    "\\",
    "ü",
]


def session() -> Session:
    """Someone signed in at Gmail, with two messages in the open inbox."""
    world = World(Scenario("none", "", ()), clock=ManualClock(START), seed=1)
    folders = [Folder(name, attributes) for name, attributes in GMAIL.folders]
    mailbox = LabMailbox("seed@gmail.lab.example", "pw", folders)
    for number in range(2):
        raw = b"Subject: x\r\nFrom: \xff\r\n\r\nbody"
        mailbox.put(Message(b"", raw, number=number), "INBOX", START)
    fuzzed = Session(world, GMAIL)
    fuzzed.enter(mailbox)
    answer(fuzzed, parse_command(b"a SELECT INBOX\r\n"))
    return fuzzed


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), min_size=1, max_size=9),
        min_size=1,
        max_size=4,
    )
)
def test_every_command_has_one_result(lines: list[list[str]]) -> None:
    fuzzed = session()
    for words in lines:
        raw = f"t {' '.join(words)}\r\n".encode("utf-8", "replace")
        try:
            command = parse_command(raw)
        except BadCommandError:
            continue
        reply = answer(fuzzed, command)

        assert reply.endswith(b"\r\n")
        results = [line[:4] for line in reply.split(b"\r\n") if line.startswith(b"t ")]
        assert results[-1] in {b"t OK", b"t NO", b"t BA"}
