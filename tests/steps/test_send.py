"""Copies are handed over once, and each outcome is written down."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from monitor.core.campaigns import Campaign, Handover, Letter, Outcome, SmtpReply
from monitor.core.errors import AgainLaterError, TransportRefusedError
from monitor.core.placements import Placement
from monitor.steps.send import BACK_OFF, Outside, send
from monitor.store.tables import HandoverRow, SightingRow, TestRow
from monitor.store.work_tables import JobRow
from tests.steps.world import World

GREYLISTED = SmtpReply(451, "4.7.1", "Greylisted")
BLOCKED = SmtpReply(550, "5.7.1", "Blocked")


class Scripted:
    """A transport that answers by script, one answer a letter; it counts what it took."""

    def __init__(
        self, *answers: Outcome, reply: SmtpReply | None = None, is_of_service: bool = False
    ) -> None:
        self.answers = list(answers)
        self.reply = reply
        self.is_of_service = is_of_service
        self.taken: list[str] = []

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        for letter in letters:
            self.taken.append(letter.message_id)
            outcome = self.answers.pop(0) if self.answers else Outcome.ACCEPTED
            yield Handover(letter.message_id, outcome, self.reply, is_of_service=self.is_of_service)


class Dies(Scripted):
    """A transport that takes the first letter and is killed before it can say so."""

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        self.taken.append(letters[0].message_id)
        raise KeyboardInterrupt
        yield


def plainly(*args: object) -> Letter:
    campaign, recipient, message_id, _token, mail_from, _date = args
    assert isinstance(campaign, Campaign)
    return Letter(str(message_id), str(mail_from), str(recipient), b"Subject: x\r\n\r\n")


Go = Callable[..., None]


@pytest.fixture
def go(world: World, session: Session) -> Go:
    def run(test: TestRow, transport: Scripted, attempt: int = 1) -> None:
        send(
            session,
            test_id=test.id or 0,
            provider="gmail",
            attempt=attempt,
            outside=Outside(lambda _name: transport, plainly),
            clock=world.clock,
        )
        session.commit()

    return run


def outcomes(session: Session) -> list[Outcome | None]:
    return [row.outcome for row in session.exec(select(HandoverRow).order_by(HandoverRow.id))]  # type: ignore[arg-type]


def looks_due(session: Session) -> list[JobRow]:
    return list(session.exec(select(JobRow).where(JobRow.kind == "look")).all())


def test_every_copy_goes_out_once_and_will_be_looked_for(
    world: World, session: Session, go: Go
) -> None:
    test = world.new_test()
    transport = Scripted()
    go(test, transport)
    assert transport.taken == [copy.message_id for copy in world.copies(test)]
    assert outcomes(session) == [Outcome.ACCEPTED] * 3
    due = looks_due(session)
    assert len(due) == 3
    assert {job.due_at for job in due} == {world.clock.now() + timedelta(minutes=1)}


def test_sending_again_sends_nothing(world: World, session: Session, go: Go) -> None:
    test = world.new_test()
    go(test, Scripted())
    second = Scripted()
    go(test, second)
    assert second.taken == []


def test_a_refusal_is_a_rejected_copy_with_the_servers_words(
    world: World, session: Session, go: Go
) -> None:
    go(world.new_test(), Scripted(Outcome.REJECTED, reply=BLOCKED))
    verdict = session.exec(select(SightingRow)).one()
    assert verdict.placement is Placement.REJECTED
    assert verdict.reason == "550 5.7.1 Blocked"


def test_a_deferred_copy_is_tried_again_later_and_the_others_are_not(
    world: World, session: Session, go: Go
) -> None:
    test = world.new_test()
    with pytest.raises(AgainLaterError) as again:
        go(test, Scripted(Outcome.DEFERRED, reply=GREYLISTED))
    assert again.value.retry_after == BACK_OFF[0]
    world.later(minutes=3)
    second = Scripted()
    go(test, second)
    assert second.taken == [world.copies(test)[0].message_id]


def test_a_provider_that_defers_for_a_day_has_rejected(
    world: World, session: Session, go: Go
) -> None:
    test = world.new_test()
    for wait in BACK_OFF:
        with pytest.raises(AgainLaterError):
            go(test, Scripted(*[Outcome.DEFERRED] * 3, reply=GREYLISTED))
        world.clock.sleep(wait)
    go(test, Scripted(*[Outcome.DEFERRED] * 3, reply=GREYLISTED))
    verdicts = session.exec(select(SightingRow)).all()
    assert {row.placement for row in verdicts} == {Placement.REJECTED}
    assert "gave up after 10 attempts: 451" in verdicts[0].reason


def test_a_sending_service_that_defers_for_a_day_says_nothing_about_the_provider(
    world: World, session: Session, go: Go
) -> None:
    test = world.new_test()
    quota = SmtpReply(429, "", "daily quota exceeded")
    for wait in (*BACK_OFF, None):
        service = Scripted(*[Outcome.DEFERRED] * 3, reply=quota, is_of_service=True)
        if wait is None:
            go(test, service)
            break
        with pytest.raises(AgainLaterError):
            go(test, service)
        world.clock.sleep(wait)
    verdicts = session.exec(select(SightingRow)).all()
    assert {row.placement for row in verdicts} == {Placement.UNKNOWN}
    assert "gave up after 10 attempts: 429 daily quota exceeded" in verdicts[0].reason


def test_a_server_we_never_reached_says_nothing_about_the_copy(
    world: World, session: Session, go: Go
) -> None:
    test = world.new_test()
    for wait in BACK_OFF:
        with pytest.raises(AgainLaterError):
            go(test, Scripted(*[Outcome.FAILED] * 3))
        world.clock.sleep(wait)
    go(test, Scripted(*[Outcome.FAILED] * 3))
    verdicts = session.exec(select(SightingRow)).all()
    assert {row.placement for row in verdicts} == {Placement.UNKNOWN}


def test_a_copy_in_doubt_after_a_crash_is_never_sent_twice(
    world: World, session: Session, go: Go
) -> None:
    test = world.new_test()
    crashed = Dies()
    with pytest.raises(KeyboardInterrupt):
        go(test, crashed)
    session.rollback()
    restarted = Scripted()
    go(test, restarted)
    first, *others = [copy.message_id for copy in world.copies(test)]
    assert crashed.taken == [first]
    assert restarted.taken == others
    assert outcomes(session) == [Outcome.UNCERTAIN, Outcome.ACCEPTED, Outcome.ACCEPTED]
    assert len(looks_due(session)) == 3


def test_the_same_key_makes_one_test(world: World, session: Session) -> None:
    assert world.new_test("k").id == world.new_test("k").id
    assert len(session.exec(select(TestRow)).all()) == 1


def test_copies_that_were_out_before_a_crash_are_looked_for(
    world: World, session: Session, go: Go
) -> None:
    class DiesLater(Scripted):
        def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
            yield Handover(letters[0].message_id, Outcome.ACCEPTED)
            raise SystemExit

    test = world.new_test()
    with pytest.raises(SystemExit):
        go(test, DiesLater())
    session.rollback()
    world.later(minutes=10)
    go(test, Scripted())
    assert {job.args["seed"] for job in looks_due(session)} == {
        copy.seed_id for copy in world.copies(test)
    }


class Refuses(Scripted):
    """A mail server that takes nothing from us."""

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        raise TransportRefusedError("the server refused our password.")


def test_a_server_that_refuses_us_is_tried_again_like_one_that_defers(
    world: World, session: Session, go: Go
) -> None:
    with pytest.raises(AgainLaterError) as again:
        go(world.new_test(), Refuses())
    assert again.value.retry_after == BACK_OFF[0]


def test_after_a_day_of_refusals_the_copies_are_unknown_with_the_reason(
    world: World, session: Session, go: Go
) -> None:
    go(world.new_test(), Refuses(), attempt=len(BACK_OFF) + 1)
    rows = session.exec(select(SightingRow)).all()
    assert {row.placement for row in rows} == {Placement.UNKNOWN}
    assert {row.reason for row in rows} == {"not sent: the server refused our password."}
