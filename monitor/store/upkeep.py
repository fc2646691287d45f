"""What the rows say is wrong with this installation: for its operator, not for senders."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from monitor.core.incidents import Cause, State
from monitor.core.routes import Arrival, Severity
from monitor.core.upkeep import Trouble
from monitor.store import alerts, backlog, domains, jobs
from monitor.store.feed_tables import FeedRow
from monitor.store.pages_incidents import relevant
from monitor.store.route_tables import RouteRow
from monitor.store.routes import shown
from monitor.store.tables import SeedHealthRow, SeedRow
from monitor.store.verdict_tables import AlertRow
from monitor.store.work_tables import JobRow

READER_FAILS: Final = timedelta(hours=1)
STILL_READ: Final = timedelta(days=3)  # a seed not tried for so long is not wanted any more
FEED_SILENT: Final = timedelta(hours=2)
QUEUE_LATE: Final = timedelta(minutes=10)
RECENT: Final = timedelta(days=1)  # what failed before that is history
OURS: Final = frozenset({Cause.SEED, Cause.MONITOR})
QUEUE: Final = "queue"  # key of the trouble of late work
# Work by which people are told. Given up, it leaves them untold, and no row but its own says so.
WARNING_WORK: Final = frozenset(
    {"observe", "judge", "warn", "tell", "survive", "remind", "digest", "pass_time"}
)


def troubles(session: Session, names: Mapping[str, str], *, now: datetime) -> list[Trouble]:
    """Return all that is wrong now.

    Args:
        names: provider ids to the names that people know.
    """
    return [
        *_readers(session, names, now),
        *_seeds(session, now),
        *_feeds(session, now),
        *queue(session, now=now),
        *_lost_work(session, now),
        *_dead_letters(session, now),
        *_suspended(session),
        *_unconfirmed(session, now),
        *_domains(session),
    ]


def _readers(session: Session, names: Mapping[str, str], now: datetime) -> Iterator[Trouble]:
    """One trouble for each provider: its seeds often fail together."""
    rows = session.exec(
        select(SeedRow, SeedHealthRow)
        .join(SeedHealthRow, col(SeedHealthRow.seed_id) == col(SeedRow.id))
        .where(
            col(SeedHealthRow.failing_since) <= now - READER_FAILS,
            col(SeedHealthRow.tried_at) > now - STILL_READ,
        )
        .order_by(col(SeedRow.provider), col(SeedHealthRow.failing_since), col(SeedRow.id))
    ).all()
    for provider, of_provider in groupby(rows, key=lambda row: row[0].provider):
        failing = list(of_provider)
        first, health = failing[0]
        more = f" and {len(failing) - 1} more" if len(failing) > 1 else ""
        yield Trouble(
            f"reader:{provider}",
            f"The seed {first.address}{more} at {names.get(provider, provider)} cannot be read"
            f" since {_moment(health.failing_since)}: {health.problem}",
            health.remedy or "Run: seedwatch seeds check",
        )


def _seeds(session: Session, now: datetime) -> Iterator[Trouble]:
    for incident in relevant(session, since=now):
        if incident.state is State.CONFIRMED and incident.latest.cause in OURS:
            yield Trouble(
                f"seed:{incident.id}",
                incident.latest.sentence,
                "Look into this mailbox by hand; replace the seed if its provider treats it apart.",
            )


def _feeds(session: Session, now: datetime) -> Iterator[Trouble]:
    """Feeds that are asked and do not answer."""
    asked = select(FeedRow).where(col(FeedRow.asked_at) > now - RECENT).order_by(col(FeedRow.name))
    for row in session.exec(asked).all():
        silent = row.answered_at is None or now - row.answered_at >= FEED_SILENT
        if not silent or not row.failures:
            continue
        since = f"since {_moment(row.answered_at)}" if row.answered_at else "so far"
        yield Trouble(
            f"feed:{row.name}",
            f"The feed {row.name} has told nothing {since}: {row.problem or 'no answer'}",
            "Check its address and its access in the configuration: until it answers, nothing is"
            " known of what this provider admits.",
        )


def queue(session: Session, *, now: datetime) -> Iterator[Trouble]:
    """Work that waits for too long; a page asks too, since without a worker nobody else would."""
    due = jobs.next_due(session)
    if due is None or now - due < QUEUE_LATE:
        return
    late = jobs.counts(session, now=now).late
    yield Trouble(
        QUEUE,
        f"Work is late: {late} jobs wait, the oldest since {_moment(due)}.",
        "Start a worker (seedwatch serve, or seedwatch worker), or more of them.",
        Severity.CRITICAL,
    )


def _lost_work(session: Session, now: datetime) -> Iterator[Trouble]:
    """Jobs whose worker died each time that it ran them, and any by which people are told."""
    given_up = backlog.dead(session, limit=100, since=now - RECENT)
    lost = [job for job in given_up if job.last_error == jobs.LOST]
    if lost:
        yield Trouble(
            "worker",
            f"A worker was lost each time that it ran some work ({len(lost)} of: {_kinds(lost)}).",
            "Look whether its memory is short or something ends it; then: seedwatch jobs revive"
            " --all",
        )
    untold = [job for job in given_up if job not in lost and job.kind in WARNING_WORK]
    if untold:
        yield Trouble(
            "worker:warning",
            f"Work by which people are warned was given up ({len(untold)} of: {_kinds(untold)});"
            f" the last for this: {untold[0].last_error}",
            "Mend what it names, then: seedwatch jobs revive --all",
            Severity.CRITICAL,
        )


def _kinds(given_up: Iterable[JobRow]) -> str:
    return ", ".join(sorted({job.kind for job in given_up}))


def _dead_letters(session: Session, now: datetime) -> Iterator[Trouble]:
    dead = alerts.dead_letters(session, since=now - RECENT)
    if dead:
        yield Trouble(
            "alerts",
            f"{len(dead)} messages could not be delivered since {_moment(now - RECENT)}; the last"
            f" one: {dead[-1].error}",
            "Check these routes: seedwatch routes list, and the mail server of [alerts].",
        )


def _suspended(session: Session) -> Iterator[Trouble]:
    rows = select(RouteRow).where(
        col(RouteRow.suspended_at).is_not(None), col(RouteRow.removed_at).is_(None)
    )
    for route in session.exec(rows.order_by(col(RouteRow.id))).all():
        yield Trouble(
            f"route:{route.id}",
            f"{route.kind} to {shown(route.address)} is told nothing since"
            f" {_moment(route.suspended_at)}: {route.suspended_why}",
            f"Check its address with whoever asked for it, then: seedwatch routes resume"
            f" {route.id}",
        )


def _unconfirmed(session: Session, now: datetime) -> Iterator[Trouble]:
    """Alerts that may have been filtered by what they warn of; one trouble an incident."""
    rows = session.execute(
        select(col(AlertRow.incident), func.count())
        .where(
            col(AlertRow.arrival) == Arrival.UNCONFIRMED,
            col(AlertRow.created_at) > now - RECENT,
        )
        .group_by(col(AlertRow.incident))
        .order_by(col(AlertRow.incident))
    ).all()
    for incident, count in rows:
        yield Trouble(
            f"arrival:{incident}",
            f"{count} alerts about the incident {incident} may not have arrived: the same mail did"
            " not reach the inboxes of our seeds at the provider that it warns of.",
            "Tell these recipients by another way, and give their routes a second one: seedwatch"
            " routes set",
        )


def _domains(session: Session) -> Iterator[Trouble]:
    for row in domains.troubled(session):
        gone = "is withdrawn: no alert about it goes out" if row.withdrawn_at else "is gone"
        yield Trouble(
            f"domain:{row.id}",
            f"The proof for {row.domain} {gone}: {row.problem}.",
            f"Put the record back into the DNS: seedwatch domains check {row.domain}",
        )


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "some time"
