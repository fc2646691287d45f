"""Read: look once into one seed mailbox, and write down where its copies are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from monitor.core.campaigns import Found, Role, Wanted
from monitor.core.clock import Clock
from monitor.core.errors import SeedwatchError
from monitor.core.placements import Placement, Sighting, decide, next_look
from monitor.core.ports import Mailbox, PartlyReadError
from monitor.store import expected, jobs, looks, seed_health, sightings
from monitor.store.sightings import WatchedCopy
from monitor.store.tables import SeedRow

PLACES: Mapping[Role, Placement] = {
    Role.INBOX: Placement.INBOX,
    Role.TAB: Placement.TAB,
    Role.SPAM: Placement.SPAM,
    Role.QUARANTINE: Placement.QUARANTINE,
    # Moved there by a rule or by a person: it was delivered, and it is not the inbox.
    Role.OTHER: Placement.TAB,
    Role.TRASH: Placement.REMOVED,  # where purged mail goes, before it is gone
}

# headers, provider -> facts; see evidence/facts.py
ReadFacts = Callable[[bytes, str], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """How a look is understood."""

    missing_after: timedelta  # a copy not seen for so long is missing, no longer pending
    read_facts: ReadFacts
    rewriting_providers: frozenset[str]  # whose links are worth a check


def read(
    session: Session,
    *,
    seed_id: int,
    open_mailbox: Callable[[SeedRow], Mailbox],
    rules: ReadingRules,
    clock: Clock,
) -> None:
    """Look for every copy that is still watched, and put the next look.

    A mailbox that cannot be read gives `unknown` for each copy whose look was due, with
    the reason: trouble of ours is never taken for a verdict of the provider. Of a copy that
    is awaited (the sender's own service sends) nothing is written until one is found.
    """
    seed = session.get_one(SeedRow, seed_id)
    now = clock.now()
    awaited = expected.awaited(session, seed_id, now=now)
    copies = sightings.watched(session, seed_id, now=now)
    # Another seed's look may have told meanwhile that a campaign has come.
    known = {copy.copy_id for copy in copies}
    awaited = [copy for copy in awaited if copy.copy_id not in known]
    due = [copy for copy in copies if copy.is_due(now)] + awaited
    past = sightings.histories(session, [c.copy_id for c in due])
    session.commit()  # no transaction stays open while we are on the network
    found, blind = _visit(seed_health.noting(session, open_mailbox, clock), seed, due, past)
    sightings.add(
        session,
        [
            (copy.copy_id, Sighting(now, Placement.UNKNOWN, reason=blind))
            for copy in due
            if blind and copy.message_id not in found and not copy.is_awaited
        ],
    )
    looks_done = [
        Look(copy, past.get(copy.copy_id, ()), found)
        for copy in due
        if copy.message_id in found or not (blind or copy.is_awaited)
    ]
    _write(session, seed, looks_done, rules, now)
    _take_note_of_arrivals(session, looks_done, now)
    rungs = [
        *(next_look(copy.sent_at, now) for copy in copies),
        *(expected.next_poll(copy, seed_id, now) for copy in awaited),
    ]
    if any(rungs):
        looks.put(session, seed_id, seed.provider, due_at=min(r for r in rungs if r is not None))


@dataclass(frozen=True, slots=True)
class Look:
    """One copy, what was seen of it before, and what this visit found."""

    copy: WatchedCopy
    before: Sequence[Sighting]
    visit: Mapping[str, Found]

    @property
    def found(self) -> Found | None:
        return self.visit.get(self.copy.message_id)


def _visit(
    open_mailbox: Callable[[SeedRow], Mailbox],
    seed: SeedRow,
    due: Sequence[WatchedCopy],
    past: Mapping[int, Sequence[Sighting]],
) -> tuple[dict[str, Found], str]:
    """Return what was found, and why nothing can be said of the rest; "" if all was looked at."""
    if not due:
        return {}, ""
    try:
        return _look(open_mailbox(seed), due, past), ""
    except PartlyReadError as error:
        return {one.message_id: one for one in error.partial}, error.what
    except SeedwatchError as error:
        return {}, error.what


def _look(
    mailbox: Mailbox, copies: Sequence[WatchedCopy], past: Mapping[int, Sequence[Sighting]]
) -> dict[str, Found]:
    wanted = [
        _wanted(copy, was_found=any(s.folder for s in past.get(copy.copy_id, ())))
        for copy in copies
    ]
    found: dict[str, Found] = {}
    for one in mailbox.look(wanted):
        found.setdefault(one.message_id, one)
    return found


def _wanted(copy: WatchedCopy, *, was_found: bool) -> Wanted:
    if copy.marks is None:
        return Wanted(
            message_id=copy.message_id,
            token=copy.token,
            sent_at=copy.sent_at,
            was_found=was_found,
            other_ids=(copy.their_id,) if copy.their_id else (),
        )
    return Wanted(
        message_id=copy.message_id,
        token=copy.token,
        sent_at=copy.marks.since,
        was_found=was_found,
        campaign_mark=copy.marks.campaign_mark,
        body_mark=copy.marks.body_mark,
        from_address=copy.marks.from_address,
        subject=copy.marks.subject,
        window_end=copy.marks.until,
    )


def _take_note_of_arrivals(session: Session, done: Sequence[Look], now: datetime) -> None:
    """The first copy of an awaited campaign that is found anywhere says when it was sent."""
    for look in done:
        if look.found is None or look.copy.marks is None:
            continue
        came = look.found.received_at
        if look.copy.is_awaited or (came is not None and came < look.copy.sent_at):
            expected.arrive(session, look.copy.test_id, received_at=came, now=now)


def _write(
    session: Session, seed: SeedRow, done: Sequence[Look], rules: ReadingRules, now: datetime
) -> None:
    """Write a sighting for each look, and the evidence of copies found for the first time."""
    facts = _new_facts(session, seed, done, rules)
    sightings.add(
        session,
        [(look.copy.copy_id, _sighting(look, facts, rules, now)) for look in done],
    )
    # Asked only now: having written, we know of every look that was written before.
    checked = sightings.tests_with_evidence(session, seed.provider, {d.copy.test_id for d in done})
    for look in done:
        if look.found is not None and look.found.duplicates:
            sightings.note_duplicates(session, look.copy.copy_id, look.found.duplicates)
        if look.found is None or look.copy.copy_id not in facts:
            continue
        sightings.keep_evidence(
            session, look.copy.copy_id, look.found, facts[look.copy.copy_id], now=now
        )
        if seed.provider in rules.rewriting_providers and look.copy.test_id not in checked:
            _put_check(session, seed, look.copy, now)


def _new_facts(
    session: Session, seed: SeedRow, done: Sequence[Look], rules: ReadingRules
) -> dict[int, Mapping[str, object]]:
    """Read the headers of copies whose headers are not kept yet; by copy id."""
    with_headers = {
        look.copy.copy_id: look.found.headers
        for look in done
        if look.found is not None and look.found.headers
    }
    kept = sightings.with_evidence(session, list(with_headers))
    return {
        copy_id: rules.read_facts(headers, seed.provider)
        for copy_id, headers in with_headers.items()
        if copy_id not in kept
    }


def _sighting(
    look: Look, facts: Mapping[int, Mapping[str, object]], rules: ReadingRules, now: datetime
) -> Sighting:
    found = look.found
    where = None if found is None else PLACES[found.role]
    age = now - look.copy.sent_at
    placement = decide(where, look.before, age=age, window=rules.missing_after)
    if reason := _doubt(look.copy, placement):
        return Sighting(now, Placement.UNKNOWN, reason=reason)
    new = facts.get(look.copy.copy_id, {})
    return Sighting(
        looked_at=now,
        placement=placement,
        folder=found.folder if found else "",
        tab=found.tab if found else "",
        reason=found.note if found else "",
        contaminated=bool(new.get("contaminated")) or any(s.contaminated for s in look.before),
    )


def _doubt(copy: WatchedCopy, placement: Placement) -> str:
    """Why a copy that is not found may never have been sent to this seed; "" if it was."""
    if copy.is_certain or placement not in {Placement.PENDING, Placement.MISSING}:
        return ""
    if copy.marks is None:
        return "nobody knows whether the server took this copy"
    return expected.NOT_ON_LIST if placement is Placement.MISSING else ""


def _put_check(session: Session, seed: SeedRow, copy: WatchedCopy, now: datetime) -> None:
    jobs.put(
        session,
        "check",
        {"test": copy.test_id, "provider": seed.provider, "copy": copy.copy_id, "look": 0},
        unique_key=f"check:{copy.test_id}:{seed.provider}:0",
        due_at=now,
    )
