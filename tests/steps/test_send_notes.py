"""What is kept of a handover beside the server's own words."""

from collections.abc import Iterator, Sequence

from sqlmodel import Session, select

from monitor.core.campaigns import Handover, Letter, Outcome, SmtpReply
from monitor.steps.send import Outside, send
from monitor.store.tables import HandoverRow
from tests.steps.test_send import plainly
from tests.steps.world import World

NOTE = "sent unencrypted, as the server offers no encryption"


class Noting:
    """A transport whose letters are taken, though not as one might think."""

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        for letter in letters:
            reply = SmtpReply(250, "2.0.0", "Ok: queued")
            yield Handover(letter.message_id, Outcome.ACCEPTED, reply, NOTE)


def test_what_is_to_be_said_of_an_accepted_copy_is_kept_with_the_reply(
    world: World, session: Session
) -> None:
    send(
        session,
        test_id=world.new_test().id or 0,
        provider="gmail",
        attempt=1,
        outside=Outside(lambda _name: Noting(), plainly),
        clock=world.clock,
    )

    row = session.exec(select(HandoverRow)).first()
    assert row is not None
    assert (row.code, row.text) == (250, f"Ok: queued; {NOTE}")
