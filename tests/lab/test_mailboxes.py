"""Messages and folders as a provider keeps them."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.imap_folders import fits
from monitor.lab.mailboxes import Folder, LabMailbox, Message

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
pieces = st.lists(st.sampled_from([b"a", b": b", b"\r\n", b" ", b"\r\n\r\n", b"\xff"]), max_size=12)
raws = pieces.map(b"".join)


@given(raws, raws, st.integers(0, 30), st.none() | st.integers(0, 30))
def test_any_slice_of_a_message_is_the_slice_of_the_whole(
    prefix: bytes, raw: bytes, start: int, length: int | None
) -> None:
    message, whole = Message(prefix, raw), prefix + raw
    stop = None if length is None else start + length

    assert message.cut(start, length) == whole[start:stop]
    assert message.size == len(whole)


@given(raws)
def test_head_and_text_make_up_the_message(raw: bytes) -> None:
    message = Message(b"Received: x\r\n", raw)

    assert message.head + message.cut_text(0) == b"Received: x\r\n" + raw


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (b"Subject: one\r\nsubject:two\r\n\r\nSubject: body", [b"one", b"two"]),
        (b"SUBJECT : folded\r\n\tvalue\r\n\r\n", [b"folded\tvalue"]),
        (b"X-Subject: other\r\n\r\n", []),
        (b"Subject: without an end", []),
    ],
)
def test_header_values_are_unfolded(raw: bytes, values: list[bytes]) -> None:
    assert Message(b"", raw).values(b"subject") == values


def test_a_removed_message_keeps_the_numbers_of_the_others() -> None:
    folder = Folder("INBOX")
    uids = [folder.add(Message(b"", b"x"), NOW) for _ in range(3)]
    entry = folder.find(2)
    assert entry is not None

    assert (folder.remove((entry,)), folder.remove((entry,))) == (True, False)
    assert [e.uid for e in folder.entries] == [1, 3]
    assert (uids, folder.uidnext, folder.find(2)) == ([1, 2, 3], 4, None)


def test_inbox_mail_lies_in_the_folder_for_all_mail_too_and_leaves_both() -> None:
    folders = [Folder("INBOX"), Folder("All", ("\\All",)), Folder("Spam", ("\\Junk",))]
    mailbox, message = LabMailbox("a@b", "pw", folders), Message(b"", b"x")
    mailbox.put(message, "INBOX", NOW)
    mailbox.put(Message(b"", b"y"), "Spam", NOW)
    assert [len(f.entries) for f in folders] == [1, 1, 1]

    assert mailbox.withdraw(message)
    assert [len(f.entries) for f in folders] == [0, 0, 1]
    assert not mailbox.withdraw(message)


def test_the_inbox_is_found_in_any_case_and_other_folders_only_in_their_own() -> None:
    mailbox = LabMailbox("a@b", "pw", [Folder("INBOX"), Folder("Spam")])

    assert mailbox.folder("inbox") is mailbox.folder("INBOX")
    assert mailbox.folder("spam") is None


@given(st.text(st.sampled_from("ab/"), max_size=8), st.text(st.sampled_from("ab/*%"), max_size=8))
def test_wildcards_match_as_a_regular_expression_would(name: str, pattern: str) -> None:
    expression = re.escape(pattern).replace(r"\*", ".*").replace("%", "[^/]*")

    assert fits(name, pattern) == (re.fullmatch(expression, name) is not None)
