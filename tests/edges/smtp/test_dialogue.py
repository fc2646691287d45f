"""Every answer in its place: dialogues without a socket, cut off after each answer."""

from collections.abc import Callable
from itertools import product

import pytest

from monitor.core.campaigns import Letter, Outcome, SmtpReply
from monitor.senders.dialogue import DEPTH, Dialogue, Ended
from monitor.senders.replies import RawReply, ReplyReader

ACCEPTED, DEFERRED, REJECTED = Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.REJECTED
UNCERTAIN, FAILED = Outcome.UNCERTAIN, Outcome.FAILED

PLAIN: tuple[str, ...] = ()
PIPELINING = ("pipelining", "size")
CHUNKING = ("pipelining", "size", "chunking")
ALL = [PLAIN, PIPELINING, CHUNKING]


class Script:
    """A server that answers by the recipient's number, and what a dialogue with it gives.

    Args:
        answers: (verb, number of the letter) -> code; all others are welcome.
    """

    def __init__(self, extensions: tuple[str, ...], answers: dict[tuple[str, int], int]) -> None:
        self.dialogue = Dialogue(extensions)
        self.heard: list[str] = []
        self.delivered: set[int] = set()
        self.ended: dict[int, Ended] = {}
        self._answers = answers
        self._wire = b""
        self._mail_from = False
        self._recipients: list[int] = []
        self._is_in_data = False
        self._number = 0
        self.nested = 0  # transactions begun within another

    def play(self, count: int, *, most_answers: int = 1000) -> list[Outcome]:
        """Send letters 1 to *count*; cut the connection after so many answers."""
        queue = list(range(1, count + 1))
        answered = 0
        while queue or self.dialogue.in_flight:
            while queue and self.dialogue.room > 0:
                self.dialogue.begin(queue[0], letter(queue.pop(0)))
            self._send()
            reply = self._next_answer()
            if reply is None or answered == most_answers:
                self._take(self.dialogue.lost("cut off"))
                break
            answered += 1
            self._take(self.dialogue.answer(reply))
            if reply.code == 421:
                return self.outcomes
            if self.dialogue.is_over:
                break
        while self._next_answer() is not None:  # the server goes on with what it has
            pass
        return self.outcomes

    @property
    def outcomes(self) -> list[Outcome]:
        return [self.ended[n].result.outcome for n in sorted(self.ended)]

    def _take(self, ended: list[Ended]) -> None:
        for one in ended:
            assert one.ticket not in self.ended, "a letter ended twice"
            self.ended[one.ticket] = one

    def _send(self) -> None:
        out = bytes(self.dialogue.outgoing)
        self._wire += out
        self.dialogue.sent(len(out))

    def _next_answer(self) -> RawReply | None:
        if self._is_in_data:
            body, found, rest = self._wire.partition(b"\r\n.\r\n")
            if self._wire.startswith(b".\r\n"):
                body, found, rest = b"", b".", self._wire[3:]
            if not found:
                return None
            self._wire, self._is_in_data = rest, False
            reply = self._finish(bool(body))
            self._mail_from, self._recipients = False, []
            return reply
        line, found, self._wire = self._wire.partition(b"\r\n")
        if not found:
            return None
        verb, _, rest = line.decode().partition(" ")
        self.heard.append(verb)
        answer: Callable[[str], RawReply] = getattr(self, f"_{verb.lower()}")
        return answer(rest)

    def _code(self, verb: str, usual: int) -> int:
        return self._answers.get((verb, self._number), usual)

    def _rset(self, _: str) -> RawReply:
        self._mail_from, self._recipients = False, []
        return RawReply(self._code("RSET", 250), b"2.0.0 reset")

    def _mail(self, _: str) -> RawReply:
        if self._mail_from:
            self.nested += 1
            return RawReply(503, b"5.5.1 nested MAIL command")
        self._number += 1
        code = self._code("MAIL", 250)
        self._mail_from = code == 250
        return RawReply(code, b"2.1.0 mail")

    def _rcpt(self, rest: str) -> RawReply:
        if not self._mail_from:
            return RawReply(503, b"5.5.1 need MAIL")
        number = int(rest.partition("seed")[2].partition("@")[0])
        code = self._code("RCPT", 250)
        if code == 250:
            self._recipients.append(number)
        return RawReply(code, b"2.1.5 rcpt")

    def _data(self, _: str) -> RawReply:
        usual = 354 if self._recipients else 554
        code = self._code("DATA", usual)
        self._is_in_data = code == 354
        return RawReply(code, b"data")

    def _bdat(self, rest: str) -> RawReply:
        size = int(rest.split(" ", maxsplit=1)[0])
        self._wire = self._wire[size:]
        if not self._recipients:
            return RawReply(554, b"5.5.1 no valid recipients")
        reply = self._finish(True)
        if reply.code == 250:  # else the transaction stays open (RFC 3030 section 2)
            self._mail_from, self._recipients = False, []
        return reply

    def _finish(self, has_body: bool) -> RawReply:
        code = self._code("BODY", 250 if self._recipients else 554)
        if code == 250:
            assert has_body, "an empty message was taken"
            self.delivered.update(self._recipients)
        return RawReply(code, b"2.0.0 done")


def letter(number: int, raw: bytes = b"Subject: x\r\n\r\nhello\r\n") -> Letter:
    return Letter(f"<{number}@a.example>", "bounce@a.example", f"seed{number}@b.example", raw)


@pytest.mark.parametrize("extensions", ALL)
def test_every_letter_is_accepted_in_order(extensions: tuple[str, ...]) -> None:
    script = Script(extensions, {})

    assert script.play(40) == [ACCEPTED] * 40
    assert script.delivered == set(range(1, 41))


@pytest.mark.parametrize("extensions", ALL)
@pytest.mark.parametrize(
    ("verb", "code", "outcome"),
    [
        ("MAIL", 451, DEFERRED),
        ("MAIL", 550, REJECTED),
        ("RCPT", 450, DEFERRED),
        ("RCPT", 550, REJECTED),
        ("BODY", 451, DEFERRED),
        ("BODY", 554, REJECTED),
    ],
)
def test_a_refused_letter_leaves_the_others_alone(
    extensions: tuple[str, ...], verb: str, code: int, outcome: Outcome
) -> None:
    script = Script(extensions, {(verb, 3): code})

    outcomes = script.play(5)

    assert outcomes == [ACCEPTED, ACCEPTED, outcome, ACCEPTED, ACCEPTED]
    assert script.delivered == {1, 2, 4, 5}
    reply = script.ended[3].result.reply
    assert reply is not None
    assert reply.code == code


def test_a_server_that_awaits_the_body_of_a_refused_letter_gets_an_empty_one() -> None:
    """RFC 2920 section 3.1: 354 after no valid recipient is answered by a single dot."""
    dialogue = Dialogue(PIPELINING)
    dialogue.begin(1, letter(1))
    dialogue.sent(len(dialogue.outgoing))

    for code in (250, 550, 354):
        assert dialogue.answer(RawReply(code, b"")) == []

    assert bytes(dialogue.outgoing) == b".\r\n"
    dialogue.sent(3)
    [one] = dialogue.answer(RawReply(554, b"no valid recipients"))
    assert one.result.reply == SmtpReply(550, "", "")


def test_a_refusal_stands_though_the_server_then_closes() -> None:
    dialogue = Dialogue(CHUNKING)
    dialogue.begin(1, letter(1))
    dialogue.sent(len(dialogue.outgoing))
    for code in (250, 550):
        assert dialogue.answer(RawReply(code, b"")) == []

    [one] = dialogue.answer(RawReply(421, b"closing"))

    assert one.result.outcome is REJECTED


@pytest.mark.parametrize("extensions", [PLAIN, PIPELINING])
def test_nothing_is_reset_that_has_ended(extensions: tuple[str, ...]) -> None:
    script = Script(extensions, {("BODY", 2): 554})
    script.play(4)

    assert "RSET" not in script.heard


@pytest.mark.parametrize("extensions", ALL)
def test_whatever_is_answered_before_a_cut_what_is_said_of_it_is_true(
    extensions: tuple[str, ...],
) -> None:
    """Accepted only what was delivered; failed or refused only what was not."""
    faults: list[tuple[str, int]] = [("MAIL", 550), ("RCPT", 450), ("RCPT", 550), ("BODY", 554)]
    faults += [("DATA", 451), ("MAIL", 421), ("RCPT", 421), ("BODY", 421), ("RSET", 500)]
    for (verb, code), number, cut in product(faults, (1, 2, 4), range(22)):
        script = Script(extensions, {(verb, number): code})
        script.play(4, most_answers=cut)
        assert script.nested == 0

        for one in script.ended.values():
            outcome = one.result.outcome
            where = (extensions, verb, code, number, cut, one.ticket, outcome)
            if outcome is ACCEPTED:
                assert one.ticket in script.delivered, where
            elif outcome is not UNCERTAIN:
                assert one.ticket not in script.delivered, where


@pytest.mark.parametrize(("extensions", "most"), [(PLAIN, 1), (PIPELINING, 1), (CHUNKING, DEPTH)])
def test_a_cut_leaves_no_more_in_doubt_than_were_on_their_way(
    extensions: tuple[str, ...], most: int
) -> None:
    for cut in range(170):
        script = Script(extensions, {})
        outcomes = script.play(40, most_answers=cut)

        assert outcomes.count(UNCERTAIN) <= most
        assert outcomes[: outcomes.count(ACCEPTED)] == [ACCEPTED] * outcomes.count(ACCEPTED)


def test_a_message_that_was_not_sent_whole_was_not_handed_over() -> None:
    dialogue = Dialogue(CHUNKING)
    for number in (1, 2):
        dialogue.begin(number, letter(number))
    dialogue.sent(len(dialogue.outgoing) - 1)

    ended = dialogue.lost("cut off")

    assert [one.result.outcome for one in ended] == [UNCERTAIN, FAILED]
    assert "within the message" in ended[1].result.problem


def test_after_421_what_was_said_later_has_not_been_done() -> None:
    """RFC 5321 section 3.8: the server closes, and each letter may go over another connection."""
    script = Script(CHUNKING, {("MAIL", 2): 421})

    assert script.play(3) == [ACCEPTED, DEFERRED, DEFERRED]
    assert [script.ended[n].result.was_begun for n in (2, 3)] == [False, False]
    assert script.dialogue.is_over


def test_a_message_taken_after_its_recipient_was_refused_is_in_doubt() -> None:
    dialogue = Dialogue(CHUNKING)
    dialogue.begin(1, letter(1))
    dialogue.sent(len(dialogue.outgoing))
    for code in (250, 550):
        assert dialogue.answer(RawReply(code, b"")) == []

    [one] = dialogue.answer(RawReply(250, b"2.0.0 ok"))

    assert one.result.outcome is UNCERTAIN


def test_an_answer_to_what_was_not_yet_said_ends_the_connection() -> None:
    dialogue = Dialogue(PLAIN)
    dialogue.begin(1, letter(1))

    [one] = dialogue.answer(RawReply(250, b"ok"))

    assert one.result.outcome is FAILED
    assert dialogue.is_over


def test_a_long_message_waits_for_its_recipient_to_be_welcome() -> None:
    dialogue = Dialogue(CHUNKING)
    dialogue.begin(1, letter(1, b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 20_000))

    said = bytes(dialogue.outgoing)

    assert said.endswith(b"DATA\r\n")
    assert b"SIZE=360014" in said


def test_one_write_carries_a_whole_transaction_where_the_server_can() -> None:
    dialogue = Dialogue(CHUNKING)
    dialogue.begin(1, letter(1))

    assert bytes(dialogue.outgoing) == (
        b"MAIL FROM:<bounce@a.example> SIZE=21\r\nRCPT TO:<seed1@b.example>\r\n"
        b"BDAT 21 LAST\r\nSubject: x\r\n\r\nhello\r\n"
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_replies_are_the_same_in_whatever_pieces_they_come(size: int) -> None:
    stream = b"250-one\r\n250 two\r\n354 go\n550 5.1.1 no\r\n"
    reader = ReplyReader()

    replies = [r for at in range(0, len(stream), size) for r in reader.feed(stream[at : at + size])]

    assert replies == [
        RawReply(250, b"one\ntwo"),
        RawReply(354, b"go"),
        RawReply(550, b"5.1.1 no"),
    ]
    assert not reader.has_part
