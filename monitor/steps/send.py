"""Send: hand over the copies of one test at one provider."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

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
from monitor.core.ports import Transport, WindowedTransport
from monitor.store import buckets, handovers, looks, placement_tests, sightings
from monitor.store.handovers import OwedCopy
from monitor.store.tables import CampaignRow, SenderRow, TestRow

# Between attempts, by the number of attempts made. Greylisting opens after minutes;
# a server that defers for longer than the last step is given up after about a day.
BACK_OFF = tuple(timedelta(minutes=m) for m in (3, 7, 15, 30, 60, 120, 240, 480, 480))

# Copies that leave within so long go out together: one connection serves them, and one job.
TOGETHER = timedelta(seconds=10)

# compose(campaign, recipient, message_id, token, mail_from, date) -> Letter
Compose = Callable[[Campaign, str, str, str, str, datetime], Letter]


@dataclass(frozen=True, slots=True)
class Outside:
    """What sending needs from outside.

    `transports` opens the transport of a name ("" is the usual one), and raises
    TransportRefusedError where the configuration has none, or none that can be used.
    """

    transports: Callable[[str], Transport]
    compose: Compose


def lane_of(transport: str) -> str:
    """Return the name of the bucket whose tokens the copies of a transport take."""
    return f"transport:{transport}"


def send(
    session: Session,
    *,
    test_id: int,
    provider: str,
    attempt: int,
    outside: Outside,
    clock: Clock,
) -> None:
    """Hand over what is owed and due, each copy written down before and after.

    A commit stands between any two copies (of a transport with a window: between any two
    windows), so that a crash leaves at most that much in doubt; a copy in doubt is never
    sent again: looking tells whether it went out. What is not due yet, or for which its
    transport's rate leaves no token, stays owed, and is put as work for its time.

    A mail server that refuses us altogether, or a transport that the configuration does not
    have any more, is tried for as long as one that defers; then, as for a message that
    cannot be composed, the copies are `unknown`, with the reason.

    Args:
        attempt: number of this attempt at this work, from 1.

    Raises:
        AgainLaterError: some copies were deferred; the rest is done.
    """
    begun = clock.now()
    handovers.resolve_doubts(session, test_id, provider, now=begun)
    try:
        deferred = _send_due(session, test_id, provider, outside, clock)
    except TransportRefusedError as error:
        if attempt <= len(BACK_OFF):
            raise AgainLaterError(str(error), retry_after=BACK_OFF[attempt - 1]) from error
        return _give_up(session, test_id, provider, error, clock.now())
    except BadInputError as error:
        return _give_up(session, test_id, provider, error, clock.now())
    finally:  # also if the server refuses us midway: what is out must be looked for
        for seed_id, sent_at in handovers.unwatched(session, test_id, provider):
            looks.put(session, seed_id, provider, due_at=sent_at + LADDER[0])
        session.commit()
    return _come_back(session, test_id, provider, deferred, begun=begun, now=clock.now())


def _send_due(session: Session, test_id: int, provider: str, outside: Outside, clock: Clock) -> int:
    """Hand over what is due and has a token; return how many copies were deferred."""
    test = session.get_one(TestRow, test_id)
    due = _due(_owed(session, test_id, provider), clock.now())
    if test.transport:
        lane = lane_of(test.transport)
        due = due[: buckets.grant(session, lane, len(due), now=clock.now())]
    transport = outside.transports(test.transport)
    letters = _letters(session, test_id, due, outside.compose, clock)
    return sum(
        _settle(session, copy, handover, clock.now())
        for copy, handover in _hand_over(session, due, letters, transport, clock)
    )


def _owed(session: Session, test_id: int, provider: str) -> list[OwedCopy]:
    """What is to be sent, now or later; what was deferred for a day is given up."""
    owed = handovers.owed(session, test_id, provider)
    return [copy for copy in owed if copy.attempts <= len(BACK_OFF)]


def _due(owed: Sequence[OwedCopy], now: datetime) -> list[OwedCopy]:
    """What may go now; what is late, after a pause, goes in the groups that it was to go in."""
    due = [copy for copy in owed if _next_try(copy) <= now]
    first = min((copy.leaves_at for copy in due if not copy.attempts), default=now)
    due = [copy for copy in due if copy.attempts or copy.leaves_at < first + TOGETHER]
    return sorted(due, key=lambda copy: (copy.leaves_at, copy.copy_id))


def _next_try(copy: OwedCopy) -> datetime:
    if copy.tried_at is None:
        return copy.leaves_at
    return copy.tried_at + BACK_OFF[copy.attempts - 1]


def _come_back(
    session: Session,
    test_id: int,
    provider: str,
    deferred: int,
    *,
    begun: datetime,
    now: datetime,
) -> None:
    """See to what is still owed: by failing if all of it was deferred, else by a job of its own.

    The job's end and the next job are one transaction, so that there is always one of them.
    """
    left = _owed(session, test_id, provider)
    if not left:
        return
    next_try = min(_next_try(copy) for copy in left)
    if deferred and all(copy.attempts for copy in left):
        raise AgainLaterError(f"{provider} deferred {deferred} copies.", retry_after=next_try - now)
    due_at = max(next_try, begun + TOGETHER)
    transport = session.get_one(TestRow, test_id).transport
    if transport and (token_at := buckets.next_token(session, lane_of(transport))):
        due_at = max(due_at, token_at)
    placement_tests.put_rest(session, test_id, provider, due_at=due_at)


def _give_up(
    session: Session, test_id: int, provider: str, error: PersonNeededError, now: datetime
) -> None:
    """What was never handed over says nothing about the provider: `unknown`, and why."""
    left = _owed(session, test_id, provider)
    verdict = Sighting(now, Placement.UNKNOWN, reason=f"not sent: {error.what}")
    sightings.add(session, [(copy.copy_id, verdict) for copy in left])


def _letters(
    session: Session, test_id: int, due: Sequence[OwedCopy], compose: Compose, clock: Clock
) -> list[Letter]:
    test = session.get_one(TestRow, test_id)
    row = session.get_one(CampaignRow, test.campaign_id)
    sender = session.get_one(SenderRow, row.sender_id)
    campaign = placement_tests.message(row)
    return [
        compose(
            campaign, copy.recipient, copy.message_id, test.token, sender.mail_from, clock.now()
        )
        for copy in due
    ]


def _hand_over(
    session: Session,
    due: Sequence[OwedCopy],
    letters: list[Letter],
    transport: Transport,
    clock: Clock,
) -> Iterator[tuple[OwedCopy, Handover]]:
    session.commit()  # no transaction stays open while we connect
    if not due:
        return
    window, outcomes = _open(transport, letters)
    for start in range(0, len(due), window):
        copies = due[start : start + window]
        attempts = handovers.begin(session, copies, now=clock.now())
        session.commit()  # of these, and of how the copies before ended
        try:
            first = next(outcomes)
        except TransportRefusedError as error:  # before any of them was begun, as the port says
            for copy, attempt in zip(copies, attempts, strict=True):
                refused = Handover(copy.message_id, Outcome.FAILED, problem=str(error))
                handovers.finish(session, attempt, refused, now=clock.now())
                _settle(session, copy, refused, clock.now())
            raise
        for copy, attempt in zip(copies, attempts, strict=True):
            handover = first if copy is copies[0] else next(outcomes)
            handovers.finish(session, attempt, handover, now=clock.now())
            yield copy, handover


def _open(transport: Transport, letters: list[Letter]) -> tuple[int, Iterator[Handover]]:
    """Begin to send; return how many letters are on their way at once, and the outcomes."""
    window = getattr(transport, "window", 1)
    if window <= 1:
        return 1, transport.send(letters)
    return window, cast(WindowedTransport, transport).send_many(letters, window=window)


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
    """A provider that defers for a day has refused.

    A server that we never reached says nothing of it, nor does a sending service.
    """
    tries = f"gave up after {copy.attempts + 1} attempts: {handover.reply or handover.problem}"
    is_verdict = handover.outcome is Outcome.DEFERRED and not handover.is_of_service
    placement = Placement.REJECTED if is_verdict else Placement.UNKNOWN
    return Sighting(now, placement, reason=tries)
