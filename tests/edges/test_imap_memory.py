"""What a reader remembers between looks, and for how long."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.campaigns import Match, Wanted
from monitor.evidence.bodies import body_mark
from monitor.mailboxes.imap_memory import MAX_FIELDS, MAX_HEADERS, MAX_KNOWN, Memory, Recogniser

_SOME_DAY = datetime(2026, 3, 2, tzinfo=UTC)
Want = Callable[..., Wanted]
Write = Callable[..., bytes]


def test_a_copy_is_known_by_message_id_header_or_plus_address(wanted: Want, letter: Write) -> None:
    memory = Memory("1", 1, wanted(1).sent_at)
    memory.remember(5, letter(1), None)
    memory.remember(6, letter(2).replace(b"<2@brand.example>", b"<other@esp.example>"), None)
    memory.remember(7, b"Message-ID: <x@esp>\r\nTo: <seed+tok3@gmail.example>\r\n\r\n", None)
    memory.remember(8, b"Message-ID:\r\n 4@brand.example\r\n\r\n", None)
    memory.remember(9, letter(9), None)

    found = Recogniser([wanted(n) for n in (1, 2, 3, 4)]).ours(memory)

    assert [(uid, known.wanted.token, known.match) for uid, known in found] == [
        (5, "tok1", Match.MESSAGE_ID),
        (6, "tok2", Match.HEADER),
        (7, "tok3", Match.PLUS_ADDRESS),
        (8, "tok4", Match.MESSAGE_ID),
    ]


def test_a_mark_that_only_looks_alike_is_not_ours(wanted: Want) -> None:
    memory = Memory("1", 1, wanted(1).sent_at)
    memory.remember(5, b"X-Other: tok1\r\nSubject: tok1 <1@brand.example>\r\n\r\n", None)
    memory.remember(6, b"Message-ID: <11@brand.example>\r\nX-Seedwatch-Test: tok11\r\n\r\n", None)

    assert list(Recogniser([wanted(1)]).ours(memory)) == []


def test_only_the_newest_two_thousand_are_remembered(wanted: Want, letter: Write) -> None:
    memory = Memory("1", 1, wanted(1).sent_at)
    for uid in range(1, MAX_KNOWN + 11):
        memory.remember(uid, letter(uid), wanted(1).sent_at)

    memory.prune(wanted(1).sent_at)

    assert list(memory.bearing(b"tok10")) == []
    assert list(memory.bearing(b"tok11")) == [11]
    assert memory.next_uid == MAX_KNOWN + 11


def test_what_came_long_ago_is_forgotten_and_would_be_searched_anew(
    wanted: Want, letter: Write
) -> None:
    long_ago = wanted(1).sent_at - timedelta(days=30)
    memory = Memory("1", 1, long_ago)
    memory.remember(1, letter(1), long_ago)
    memory.remember(2, letter(2), wanted(1).sent_at)
    memory.remember(3, letter(3), None)

    memory.prune(wanted(1).sent_at)

    assert [list(memory.bearing(b"tok%d" % n)) for n in (1, 2, 3)] == [[], [2], [3]]
    assert memory.since == wanted(1).sent_at - timedelta(days=5)


def test_a_message_takes_little_room(wanted: Want) -> None:
    memory = Memory("1", 1, wanted(1).sent_at)
    header = b"Message-ID: <a@b>\r\nTo: " + b"a@b.example, " * 10_000 + b"\r\nX-Big: "
    memory.remember(1, header + b"x" * 100_000 + b"\r\n\r\n", None)

    assert len(memory[1].fields) == MAX_FIELDS


def test_headers_are_kept_for_a_few_copies_only(wanted: Want) -> None:
    memory = Memory("1", 1, wanted(1).sent_at)
    memory.headers = dict.fromkeys(range(40), b"x")

    memory.keep_headers([uid for uid in range(100) if uid % 2])

    assert sorted(memory.headers) == list(range(9, 40, 2))
    assert len(memory.headers) == MAX_HEADERS


@given(st.lists(st.tuples(st.integers(1, 5), st.binary(max_size=60))))
def test_forgetting_all_leaves_nothing(messages: list[tuple[int, bytes]]) -> None:
    memory = Memory("1", 1, Wanted("<1@b>", "t", _SOME_DAY).sent_at)
    for uid, data in messages:
        memory.remember(uid, b"Message-ID: <a@b> " + data + b"\r\nX-Job: " + data, None)
    for uid in range(6):
        memory.forget(uid)

    assert memory._seen == {}
    assert memory._bearers == {}


def by_the_service(**marks: str) -> Wanted:
    """A copy that the sender's own mail service sends."""
    return Wanted(
        message_id="<1@ours.example>",
        token="",
        sent_at=_SOME_DAY,
        window_end=_SOME_DAY + timedelta(days=1),
        **marks,
    )


def test_a_copy_without_any_mark_of_ours_is_known_by_from_subject_and_time() -> None:
    memory = Memory("1", 1, _SOME_DAY)
    header = b"From: Shop <news@shop.example>\r\nSubject: Spring\r\nMessage-ID: <x@esp>\r\n\r\n"
    memory.remember(5, header, _SOME_DAY - timedelta(days=2))
    memory.remember(6, header, _SOME_DAY + timedelta(hours=1))
    weak = Recogniser([by_the_service(from_address="news@shop.example", subject="Spring")])

    before = [(uid, known.match) for uid, known in weak.ours(memory)]
    memory.remember(7, header, _SOME_DAY + timedelta(hours=2))
    after = [(uid, known.match) for uid, known in weak.ours(memory)]

    assert before == [(6, Match.WEAK)]
    assert after == [(6, Match.WEAK), (7, Match.WEAK)]


def test_a_copy_is_known_by_its_service_s_campaign_header() -> None:
    memory = Memory("1", 1, _SOME_DAY)
    memory.remember(5, b"Feedback-ID: spring 26:acme:esp\r\n\r\n", _SOME_DAY)
    memory.remember(6, b"Feedback-ID: spring 27:acme:esp\r\n\r\n", _SOME_DAY)

    found = Recogniser([by_the_service(campaign_mark="spring 26:acme:esp")]).ours(memory)

    assert [(uid, known.match) for uid, known in found] == [(5, Match.HEADER)]


def test_a_copy_is_known_by_its_words_once_its_body_is_read() -> None:
    words = " ".join(f"word{chr(97 + n)} {chr(97 + n) * 3}" for n in range(26))
    memory = Memory("1", 1, _SOME_DAY)
    memory.remember(5, b"Subject: x\r\n\r\n", _SOME_DAY)
    memory.remember(6, b"Subject: x\r\n\r\n", _SOME_DAY)
    worded = Recogniser([by_the_service(body_mark=body_mark(words, ""))])
    assert worded.needs_bodies
    assert list(worded.ours(memory)) == []
    assert memory.lacks_body([5, 6, 7]) == [5, 6]

    memory.remember_body(5, b"Subject: x\r\n\r\nSomething else\r\n")
    memory.remember_body(6, f"Subject: x\r\n\r\n{words}\r\n".encode())

    assert memory.lacks_body([5, 6]) == []
    assert [(uid, k.match) for uid, k in worded.ours(memory)] == [(6, Match.BODY_HASH)]
