"""Read: look once into one seed mailbox, and write down where its copies are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from monitor.core.campaigns import Found, Role, Wanted
from monitor.core.clock import Clock
from monitor.core.errors import SeedwatchError
from monitor.core.placements import Placement, Sighting, decide, next_look
from monitor.core.ports import Mailbox
from monitor.store import jobs, looks, sightings
from monitor.store.sightings import WatchedCopy
from monitor.store.tables import SeedRow

PLACES: Mapping[Role, Placement] = {
    Role.INBOX: Placement.INBOX,
    Role.TAB: Placement.TAB,
    Role.SPAM: Placement.SPAM,
    Role.QUARANTINE: Placement.QUARANTINE,
    # Moved there by a rule or by a person: it was delivered, and it is not the inbox.
    Role.OTHER: Placement.TAB,
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
    the reason: trouble of ours is never taken for a verdict of the provider.
    """
    seed = session.get_one(SeedRow, seed_id)
    now = clock.now()
    copies = sightings.watched(session, seed_id, now=now)
    due = [copy for copy in copies if copy.is_due(now)]
    past = sightings.histories(session, [c.copy_id for c in due])
    session.commit()  # no transaction stays open while we are on the network
    try:
        found = _look(open_mailbox(seed), due, past) if due else {}
    except SeedwatchError as error:
        blind = Sighting(now, Placement.UNKNOWN, reason=error.what)
        sightings.add(session, [(copy.copy_id, blind) for copy in due])
    else:
        sightings.add(session, _sightings(due, past, found, rules, now=now))
        _keep_evidence(session, seed, due, found, rules, now=now)
    rungs = [r for c in copies if (r := next_look(c.sent_at, now)) is not None]
    if rungs:
        looks.put(session, seed_id, seed.provider, due_at=min(rungs))


def _look(
    mailbox: Mailbox, copies: Sequence[WatchedCopy], past: Mapping[int, Sequence[Sighting]]
) -> dict[str, Found]:
    wanted = [
        Wanted(
            message_id=copy.message_id,
            token=copy.token,
            sent_at=copy.sent_at,
            was_found=any(s.folder for s in past.get(copy.copy_id, ())),
        )
        for copy in copies
    ]
    found: dict[str, Found] = {}
    for one in mailbox.look(wanted):
        found.setdefault(one.message_id, one)
    return found


def _sightings(
    copies: Sequence[WatchedCopy],
    past: Mapping[int, Sequence[Sighting]],
    found: Mapping[str, Found],
    rules: ReadingRules,
    *,
    now: datetime,
) -> list[tuple[int, Sighting]]:
    return [
        (
            copy.copy_id,
            _sighting(copy, past.get(copy.copy_id, ()), found.get(copy.message_id), rules, now=now),
        )
        for copy in copies
    ]


def _sighting(
    copy: WatchedCopy,
    before: Sequence[Sighting],
    found: Found | None,
    rules: ReadingRules,
    *,
    now: datetime,
) -> Sighting:
    where = _place(found)
    placement = decide(where, before, age=now - copy.sent_at, window=rules.missing_after)
    if placement in {Placement.PENDING, Placement.MISSING} and not copy.is_certain:
        return Sighting(
            now, Placement.UNKNOWN, reason="nobody knows whether the server took this copy"
        )
    return Sighting(
        looked_at=now,
        placement=placement,
        folder=found.folder if found else "",
        tab=found.tab if found else "",
        reason=found.note if found else "",
        contaminated=_is_contaminated(found, before, rules),
    )


def _place(found: Found | None) -> Placement | None:
    """Trash is where purged mail goes: a copy there counts as gone from the mailbox."""
    return None if found is None else PLACES.get(found.role)


def _is_contaminated(found: Found | None, before: Sequence[Sighting], rules: ReadingRules) -> bool:
    if found is not None and found.headers:
        return bool(rules.read_facts(found.headers, "").get("contaminated"))
    return any(s.contaminated for s in before)


def _keep_evidence(
    session: Session,
    seed: SeedRow,
    copies: Sequence[WatchedCopy],
    found: Mapping[str, Found],
    rules: ReadingRules,
    *,
    now: datetime,
) -> None:
    seen = [c for c in copies if (f := found.get(c.message_id)) is not None and f.headers]
    kept = sightings.with_evidence(session, [c.copy_id for c in seen])
    for copy in seen:
        if copy.copy_id in kept:
            continue
        one = found[copy.message_id]
        facts = rules.read_facts(one.headers, seed.provider)
        sightings.keep_evidence(session, copy.copy_id, one, facts, now=now)
        if seed.provider in rules.rewriting_providers:
            jobs.put(
                session,
                "check",
                {"test": copy.test_id, "provider": seed.provider, "copy": copy.copy_id, "look": 0},
                unique_key=f"check:{copy.test_id}:{seed.provider}:0",
                due_at=now,
            )
