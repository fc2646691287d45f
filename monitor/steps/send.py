"""Send: hand over the copies of one test at one provider."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from monitor.core.campaigns import Campaign, Handover, Letter, Outcome
from monitor.core.clock import Clock
from monitor.core.errors import (
    AgainLaterError,
    BadInputError,
    PersonNeededError,
    TransportRefusedError,
)
from monitor.core.placements import LADDER, Placement, Sighting
from monitor.core.ports import Transport
from monitor.store import handovers, looks, placement_tests, sightings
from monitor.store.handovers import OwedCopy
from monitor.store.tables import CampaignRow, SenderRow, TestRow

# Between attempts, by the number of attempts made. Greylisting opens after minutes;
# a server that defers for longer than the last step is given up after about a day.
BACK_OFF = tuple(timedelta(minutes=m) for m in (3, 7, 15, 30, 60, 120, 240, 480, 480))

# compose(campaign, recipient, message_id, token, mail_from, date) -> Letter
Compose = Callable[[Campaign, str, str, str, str, datetime], Letter]


@dataclass(frozen=True, slots=True)
class Outside:
    """What sending needs from outside."""

    transport: Transport
    compose: Compose


def send(
    session: Session,
    *,
    test_id: int,
    provider: str,
    attempt: int,
    outside: Outside,
    clock: Clock,
) -> None:
    """Hand over what is owed, one copy at a time, each written down before and after.

    A commit stands between any two copies, so that a crash leaves at most one in doubt; a
    copy in doubt is never sent again: looking tells whether it went out.

    A mail server that refuses us altogether is tried for as long as one that defers; then,
    as for a message that cannot be composed, the copies are `unknown`, with the reason.

    Args:
        attempt: number of this attempt at this work, from 1.

    Raises:
        AgainLaterError: some copies were deferred; the rest is done.
    """
    handovers.resolve_doubts(session, test_id, provider, now=clock.now())
    owed = handovers.owed(session, test_id, provider)
    waiting = 0
    try:
        letters = _letters(session, test_id, owed, outside.compose, clock)
        for copy, handover in _hand_over(session, owed, letters, outside.transport, clock):
            waiting += _settle(session, copy, handover, clock.now())
    except TransportRefusedError as error:
        if attempt <= len(BACK_OFF):
            raise AgainLaterError(error.what, retry_after=BACK_OFF[attempt - 1]) from error
        _give_up(session, test_id, provider, error, clock.now())
    except BadInputError as error:
        _give_up(session, test_id, provider, error, clock.now())
    finally:  # also if the server refuses us midway: what is out must be looked for
        for seed_id in handovers.unwatched(session, test_id, provider):
            looks.put(session, seed_id, provider, due_at=clock.now() + LADDER[0])
        session.commit()
    if waiting:
        attempts = max(copy.attempts for copy in owed)
        raise AgainLaterError(
            f"{provider} deferred {waiting} of {len(owed)} copies.",
            retry_after=BACK_OFF[min(attempts, len(BACK_OFF) - 1)],
        )


def _give_up(
    session: Session, test_id: int, provider: str, error: PersonNeededError, now: datetime
) -> None:
    """What was never handed over says nothing about the provider: `unknown`, and why."""
    left = handovers.owed(session, test_id, provider)
    verdict = Sighting(now, Placement.UNKNOWN, reason=f"not sent: {error.what}")
    sightings.add(session, [(copy.copy_id, verdict) for copy in left])


def _letters(
    session: Session, test_id: int, owed: list[OwedCopy], compose: Compose, clock: Clock
) -> list[Letter]:
    test = session.get_one(TestRow, test_id)
    row = session.get_one(CampaignRow, test.campaign_id)
    sender = session.get_one(SenderRow, row.sender_id)
    campaign = placement_tests.message(row)
    return [
        compose(
            campaign, copy.recipient, copy.message_id, test.token, sender.mail_from, clock.now()
        )
        for copy in owed
    ]


def _hand_over(
    session: Session,
    owed: list[OwedCopy],
    letters: list[Letter],
    transport: Transport,
    clock: Clock,
) -> Iterator[tuple[OwedCopy, Handover]]:
    session.commit()  # no transaction stays open while we connect
    outcomes = transport.send(letters)
    for copy in owed:
        attempt = handovers.begin(session, copy, now=clock.now())
        session.commit()  # of this, and of how the copy before ended
        handover = next(outcomes)
        handovers.finish(session, attempt, handover, now=clock.now())
        yield copy, handover


def _settle(session: Session, copy: OwedCopy, handover: Handover, now: datetime) -> int:
    """Write what follows from one outcome; return 1 if the copy must be tried again."""
    if handover.outcome in {Outcome.ACCEPTED, Outcome.UNCERTAIN}:
        return 0
    if handover.outcome is Outcome.REJECTED:
        verdict = Sighting(now, Placement.REJECTED, reason=str(handover.reply or handover.problem))
        sightings.add(session, [(copy.copy_id, verdict)])
        return 0
    if copy.attempts + 1 <= len(BACK_OFF):
        return 1
    sightings.add(session, [(copy.copy_id, _given_up(handover, copy, now))])
    return 0


def _given_up(handover: Handover, copy: OwedCopy, now: datetime) -> Sighting:
    """A provider that defers for a day has refused; a server we never reached says nothing."""
    tries = f"gave up after {copy.attempts + 1} attempts: {handover.reply or handover.problem}"
    placement = Placement.REJECTED if handover.outcome is Outcome.DEFERRED else Placement.UNKNOWN
    return Sighting(now, placement, reason=tries)
