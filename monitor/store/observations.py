"""What the judge is told: clusters as they stood at a look, kept in the order of telling."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func
from sqlalchemy import select as sql_select
from sqlmodel import Session, SQLModel, col, select

from monitor.core.campaigns import Outcome
from monitor.core.observations import Admitted, Observation, TimePassed
from monitor.core.placements import LADDER, Placement
from monitor.store import gauges, jobs
from monitor.store.columns import saved
from monitor.store.placement_tests import all_out_at
from monitor.store.rows import insert_once
from monitor.store.tables import (
    CampaignRow,
    SenderRow,
    TestRow,
)
from monitor.store.verdict_tables import ObservationRow

# Whole tests are read at once, so these queries go without the ORM.
COPY, HANDOVER, SEED, SIGHTING = (
    SQLModel.metadata.tables[name] for name in ("copy", "handover", "seed", "sighting")
)
ORDER_LOCK = 7_315_022  # any number, as long as every Seedwatch uses the same


@dataclass(slots=True)
class _Cluster:
    placements: dict[str, Placement] = field(default_factory=dict)
    regions: dict[str, str] = field(default_factory=dict)
    was_seen: bool = False  # some mailbox could be read, whatever was in it
    is_unseen: bool = False  # some mailbox, with a copy that was taken, could not

    @property
    def tells(self) -> bool:
        """Is there anything to tell: what became of a copy, or that no mailbox can be read?"""
        is_blind = self.is_unseen and not self.was_seen
        return is_blind or any(p.is_decided for p in self.placements.values())


class _Latest(NamedTuple):
    """The latest telling sighting of a copy."""

    looked_at: datetime
    placement: Placement
    contaminated: bool


def observe(session: Session, test_id: int, *, now: datetime) -> list[ObservationRow]:
    """Write down how every cluster of a test stands; return the new rows.

    A cluster of which nothing is decided yet says nothing, and is left for a later look,
    unless none of its mailboxes can be read: so the judge learns that we cannot see. Once a
    cluster was told, it is told at every look, so that it is known to be seen again.
    Contaminated copies are left out: the mailbox's own lists placed them, not the filter.
    """
    test, sender = session.exec(
        select(TestRow, SenderRow.key)
        .join(CampaignRow, col(CampaignRow.id) == col(TestRow.campaign_id))
        .join(SenderRow, col(SenderRow.id) == col(CampaignRow.sender_id))
        .where(col(TestRow.id) == test_id)
    ).one()
    _queue_up(session)
    looks = _looks_so_far(session, test_id)
    readings = gauges.of_test(session, test)
    new = []
    for provider, cluster in sorted(_clusters(session, test).items()):
        look = looks.get(provider, 0)
        if not (look or cluster.tells):
            continue
        row = ObservationRow(
            key=f"{test.uid}:{provider}:{look}",
            test_id=test_id,
            provider=provider,
            look=look,
            at=now,
            body={
                "test": test.uid,
                "sender": sender,
                "sent_at": all_out_at(test).isoformat(),
                "features": test.features["all"],
                "placements": {seed: str(p) for seed, p in cluster.placements.items()},
                "regions": cluster.regions,
                "gauges": _of_seeds(readings.get(provider, {}), cluster.placements),
            },
        )
        session.add(row)
        new.append(row)
    session.flush()
    return new


def pass_time(session: Session, *, now: datetime) -> None:
    """Write down that it is later now; within one minute once, whoever asks.

    It is a row among the observations, so that the judge's state follows from the rows.
    """
    _queue_up(session)
    row = {"key": f"time:{now:%Y%m%dT%H%M}", "provider": "", "look": 0, "at": now, "body": {}}
    insert_once(session, ObservationRow, [row])


def admit(session: Session, told: Admitted) -> None:
    """Write down that a provider admits trouble; with `until` over, that it no longer does."""
    _queue_up(session)
    row = {
        "key": f"advisory:{told.provider}:{told.advisory}:{told.at.isoformat()}",
        "provider": told.provider,
        "look": 0,
        "at": told.at,
        "body": {"advisory": told.advisory, "until": told.until.isoformat()},
    }
    insert_once(session, ObservationRow, [row])


def admitted(session: Session, *, since: datetime) -> dict[tuple[str, str], datetime]:
    """By provider and advisory: until when it stands, as the judge was told last."""
    rows = session.exec(
        select(ObservationRow)
        .where(
            col(ObservationRow.test_id).is_(None),
            col(ObservationRow.provider) != "",
            col(ObservationRow.at) >= since,
        )
        .order_by(col(ObservationRow.id))
    )
    told = [_decode_admitted(row) for row in rows]
    return {(one.provider, one.advisory): one.until for one in told}


def _of_seeds(readings: gauges.Gauges, seeds: Mapping[str, Placement]) -> gauges.Gauges:
    """Readings of the copies that are judged; what is contaminated is not among them."""
    told = {n: {s: v for s, v in values.items() if s in seeds} for n, values in readings.items()}
    return {name: values for name, values in told.items() if values}


def wake_judge(session: Session, *, now: datetime) -> None:
    """Put the judge's turn one second from now: tests that are told together are judged
    together, and people are told the verdict on all of them, not on the first few.

    A turn that is running has an earlier second in its key, so this is never lost on it.
    """
    due = now.replace(microsecond=0) + timedelta(seconds=1)
    jobs.put(session, "judge", {}, unique_key=f"judge:{due:%Y%m%d%H%M%S}", due_at=due)


def _queue_up(session: Session) -> None:
    """Let observations be committed in the order of their ids, as the judge reads them.

    PostgreSQL hands out ids before the commit, so that a lower one may become visible after
    a higher one was judged, and would never be. SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sql_select(func.pg_advisory_xact_lock(ORDER_LOCK)))


def after(
    session: Session, observation_id: int, *, until: int | None = None
) -> Iterator[tuple[int, Observation | TimePassed | Admitted]]:
    """Yield (row id, what the judge was told) above *observation_id*, in the order of telling."""
    query = select(ObservationRow).where(col(ObservationRow.id) > observation_id)
    if until is not None:
        query = query.where(col(ObservationRow.id) <= until)
    for row in session.exec(query.order_by(col(ObservationRow.id))):
        yield saved(row.id), _decode(row) if row.test_id is not None else _decode_other(row)


def _looks_so_far(session: Session, test_id: int) -> dict[str, int]:
    rows = session.exec(
        select(ObservationRow.provider, func.count())
        .where(col(ObservationRow.test_id) == test_id)
        .group_by(ObservationRow.provider)
    ).all()
    return dict(rows)


def _clusters(session: Session, test: TestRow) -> dict[str, _Cluster]:
    clusters: dict[str, _Cluster] = {}
    latest = _latest_sightings(session, saved(test.id))
    unseen = _unseen(session, test, latest)
    copies = session.execute(
        sql_select(COPY.c.id, COPY.c.provider, SEED.c.address, SEED.c.region)
        .join(SEED, SEED.c.id == COPY.c.seed_id)
        .where(COPY.c.test_id == test.id)
        .order_by(SEED.c.address)
    )
    for copy_id, provider, address, region in copies:
        seen = latest.get(copy_id)
        cluster = clusters.setdefault(provider, _Cluster())
        cluster.was_seen |= seen is not None and seen.placement is not Placement.UNKNOWN
        cluster.is_unseen |= copy_id in unseen
        if seen is not None and seen.contaminated:
            continue
        cluster.placements[address] = Placement.PENDING if seen is None else seen.placement
        if region:
            cluster.regions[address] = region
    return clusters


def _latest_sightings(session: Session, test_id: int) -> dict[int, _Latest]:
    """The latest telling sighting of each copy; a look that failed hides nothing decided."""
    found: dict[int, _Latest] = {}
    rows = session.execute(
        sql_select(
            SIGHTING.c.copy_id,
            SIGHTING.c.looked_at,
            SIGHTING.c.placement,
            SIGHTING.c.contaminated,
        )
        .join(COPY, COPY.c.id == SIGHTING.c.copy_id)
        .where(COPY.c.test_id == test_id)
        .order_by(SIGHTING.c.looked_at)
    )
    for copy_id, *look in rows:
        latest = _Latest(*look)
        known = found.get(copy_id)
        if latest.placement.is_decided or known is None or not known.placement.is_decided:
            found[copy_id] = latest
    return found


def _unseen(session: Session, test: TestRow, latest: Mapping[int, _Latest]) -> set[int]:
    """Copies that a server took, and whose mailbox could not be read when they were due.

    A copy that was not sent, or that nobody knows to be sent, is `unknown` too, and says
    nothing about our sight; nor does one that was given up after its last look.
    """
    over = all_out_at(test) + LADDER[-1]
    unknown = {
        copy_id
        for copy_id, look in latest.items()
        if look.placement is Placement.UNKNOWN and look.looked_at <= over
    }
    if not unknown:
        return unknown
    taken = session.execute(
        sql_select(HANDOVER.c.copy_id)
        .join(COPY, COPY.c.id == HANDOVER.c.copy_id)
        .where(COPY.c.test_id == test.id, HANDOVER.c.outcome == Outcome.ACCEPTED)
    )
    return unknown & set(taken.scalars())


def _decode_other(row: ObservationRow) -> TimePassed | Admitted:
    return _decode_admitted(row) if row.provider else TimePassed(row.at)


def _decode_admitted(row: ObservationRow) -> Admitted:
    until = datetime.fromisoformat(row.body["until"])
    return Admitted(row.at, row.provider, row.body["advisory"], until)


def _decode(row: ObservationRow) -> Observation:
    body: dict[str, Any] = row.body
    return Observation(
        id=row.key,
        at=row.at,
        sent_at=datetime.fromisoformat(body["sent_at"]),
        test=body["test"],
        sender=body["sender"],
        provider=row.provider,
        look=row.look,
        features=frozenset(body["features"]),
        placements={seed: Placement(word) for seed, word in body["placements"].items()},
        regions=body["regions"],
        gauges=body.get("gauges", {}),  # rows of before they were read have none
    )
