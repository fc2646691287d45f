"""A transport with several letters on its way: what is written down before, and after a crash."""

from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from monitor.core.campaigns import Handover, Letter, Outcome
from monitor.steps.send import Outside, send
from monitor.store.tables import HandoverRow
from tests.steps.test_send import plainly
from tests.steps.world import World


class Windowed:
    """A transport that lets two letters go at once, and looks at what is written down then."""

    window = 2

    def __init__(self, engine: Engine, *, dies_in_window: int = 0) -> None:
        self._engine = engine
        self._dies_in_window = dies_in_window
        self.written: list[list[Outcome | None]] = []

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        raise AssertionError("it was asked to send one by one")

    def send_many(self, letters: Sequence[Letter], *, window: int) -> Iterator[Handover]:
        for start in range(0, len(letters), window):
            with Session(self._engine) as other:
                rows = other.exec(select(HandoverRow).order_by(HandoverRow.id))  # type: ignore[arg-type]
                self.written.append([row.outcome for row in rows])
            if len(self.written) == self._dies_in_window:
                raise KeyboardInterrupt
            for letter in letters[start : start + window]:
                yield Handover(letter.message_id, Outcome.ACCEPTED)


def go(world: World, session: Session, test_id: int, transport: Windowed) -> None:
    outside = Outside(lambda _name: transport, plainly)
    send(session, test_id=test_id, provider="gmail", attempt=1, outside=outside, clock=world.clock)
    session.commit()


def test_a_window_is_written_down_before_any_of_it_goes_and_after_all_of_it_went(
    world: World, session: Session, engine: Engine
) -> None:
    transport = Windowed(engine)
    go(world, session, world.new_test().id or 0, transport)

    accepted = Outcome.ACCEPTED
    assert transport.written == [[None, None], [accepted, accepted, None]]


def test_a_crash_leaves_a_window_in_doubt_and_no_more(
    world: World, session: Session, engine: Engine
) -> None:
    test_id = world.new_test().id or 0
    with pytest.raises(KeyboardInterrupt):
        go(world, session, test_id, Windowed(engine, dies_in_window=1))
    session.rollback()

    go(world, session, test_id, again := Windowed(engine))

    uncertain = Outcome.UNCERTAIN
    assert again.written == [[uncertain, uncertain, None]]
