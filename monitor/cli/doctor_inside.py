"""What `seedwatch doctor` looks at in the database: passwords, work, seeds, alerts."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from sqlmodel import Session, col, select

from monitor.cli.findings import Finding, doubtful, fine, looked, wrong
from monitor.core.clock import SystemClock
from monitor.core.errors import PersonNeededError
from monitor.settings import Settings
from monitor.store import alerts, backlog, jobs, pages_seeds, route_secrets
from monitor.store.engine import is_current, need_database, open_engine
from monitor.store.pages_seeds import SeedHealth
from monitor.store.route_tables import RouteRow
from monitor.store.secrets import Vault
from monitor.store.tables import SeedRow
from monitor.store.troubles import open_troubles

LATE = timedelta(minutes=10)  # work that waits longer than this has no worker
THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
SHORT_KEY = 16  # characters
SECTIONS = {"oauth": "oauth", "drop": "drops", "tenant": "tenants"}
RECENT = timedelta(days=7)  # what failed before that is history, not something to mend


def database(settings: Settings) -> Iterator[Finding]:
    """Look at the database, and at what the rows in it say."""
    need_database(settings.database.url)
    engine = open_engine(settings.database.url)
    try:
        if not is_current(engine):
            yield wrong(
                "database", "its version is not this program's", "Run: seedwatch db upgrade"
            )
            return
        yield fine("database", "reachable and up to date")
        with Session(engine) as session:
            for about, look in _LOOKS.items():
                yield from looked(about, partial(look, session, settings))
    finally:
        engine.dispose()


def _secrets(session: Session, settings: Settings) -> Iterator[Finding]:
    about = "mailbox passwords"
    keys = [key.get_secret_value() for key in settings.secrets.keys]
    vault = Vault(keys)
    seeds = [seed for seed in session.exec(select(SeedRow)).all() if seed.secret]
    unreadable = _closed(vault, seeds)
    if unreadable:
        yield wrong(
            about,
            f"{len(unreadable)} of {len(seeds)} cannot be read with this secret key",
            "Put the old key back into [secrets], or import these seeds again: "
            + ", ".join(unreadable[:5]),
        )
        return
    yield fine(about, f"all {len(seeds)} can be read")
    if len(keys) > 1:
        newest = Vault(keys[:1])
        yield _old_keys(len(_closed(newest, seeds)) + route_secrets.closed(session, newest))


def _closed(vault: Vault, seeds: Sequence[SeedRow]) -> list[str]:
    """The addresses of the seeds whose passwords *vault* does not open."""
    closed = []
    for seed in seeds:
        try:
            vault.open(f"seed:{seed.address}", seed.secret)
        except PersonNeededError:
            closed.append(seed.address)
    return closed


def _old_keys(sealed: int) -> Finding:
    if sealed:
        says = f"still needed: {sealed} passwords are sealed with them"
        return doubtful("old keys", says, "Run: seedwatch seeds reseal")
    return doubtful("old keys", "not needed any more", "Take all but the first out of [secrets].")


def _queue(session: Session, _settings: Settings) -> Iterator[Finding]:
    now = SystemClock().now()
    counts = jobs.counts(session, now=now)
    due = jobs.next_due(session)
    if due is not None and now - due > LATE:
        yield wrong(
            "worker",
            f"{counts.late} jobs wait, the oldest since {due:%Y-%m-%d %H:%M} UTC",
            "Start one: seedwatch serve, or seedwatch worker.",
        )
    else:
        yield fine("worker", f"{counts.due} jobs are due, none is late")


def _dead(session: Session, _settings: Settings) -> Iterator[Finding]:
    dead = backlog.dead(session, limit=3, since=SystemClock().now() - RECENT)
    if dead:
        last = "; ".join(f"{job.kind}: {job.last_error}" for job in dead)
        remedy = "Mend the cause, then: seedwatch jobs revive --all (seedwatch jobs list: which)."
        yield wrong("work given up", last, remedy)
    else:
        yield fine("work given up", "none in the last seven days")


def _seeds(session: Session, _settings: Settings) -> Iterator[Finding]:
    health = pages_seeds.seed_health(session, since=SystemClock().now() - timedelta(days=3))
    failing = [seed for seed in health if seed.is_failing]
    if failing:
        yield wrong("seeds", _failing(failing, len(health)), "Run: seedwatch seeds check")
    elif not health:
        yield wrong("seeds", "there are none", "Run: seedwatch seeds import FILE")
    else:
        yield fine("seeds", f"{len(health)} known, none is failing")


def _failing(failing: Sequence[SeedHealth], total: int) -> str:
    """Say how many fail, and of the one that has failed for the longest why and what to do."""
    says = f"{len(failing)} of {total} cannot be read"
    told = sorted((s for s in failing if s.failing_since), key=lambda s: str(s.failing_since))
    if not told:
        return says
    first = told[0]
    since = f"{first.failing_since:%Y-%m-%d %H:%M} UTC"
    why = f"{first.address}: {first.reason} {first.remedy}".strip()
    return f"{says}, the first since {since}. {why}"


def _readers(session: Session, settings: Settings) -> Iterator[Finding]:
    """Look whether the configuration holds what the seeds' readers need."""
    configured = {
        "oauth": set(settings.oauth),
        "drop": set(settings.drops),
        "tenant": set(settings.tenants),
    }
    seeds = session.exec(select(SeedRow)).all()
    for column, known in configured.items():
        lacking = {getattr(seed, column) for seed in seeds} - known - {""}
        for name in sorted(lacking):
            section = f"[{SECTIONS[column]}.{name}]"
            yield wrong(section, "a seed needs it", "Add it to the configuration.")
    key = settings.inbound.key.get_secret_value()
    if not key and any(seed.reader == "inbound" for seed in seeds):
        yield wrong("[inbound]", "a seed reports by web hook, which is closed", "Write its key.")
    if 0 < len(key) < SHORT_KEY:
        remedy = f"Take {SHORT_KEY} random characters or more."
        yield doubtful("[inbound]", "its key is short enough to be guessed", remedy)
    for name, drop in settings.drops.items():
        if not drop.path.exists():
            yield wrong(f"[drops.{name}]", f"{drop.path} is not there", "Check its path.")


def _alerts(session: Session, _settings: Settings) -> Iterator[Finding]:
    dead = alerts.dead_letters(session, since=SystemClock().now() - RECENT)
    if dead:
        says = f"{len(dead)} were not delivered in the last seven days: {dead[-1].error}"
        yield wrong("alerts", says, "Check the addresses, and the mail server of [alerts].")
    elif session.exec(select(RouteRow)).first() is None:
        yield wrong("alerts", "nobody is told", "Use: seedwatch test send --alert-to ADDRESS")
    else:
        yield fine("alerts", "all of the last seven days were delivered")


def _routes(session: Session, _settings: Settings) -> Iterator[Finding]:
    """Look for routes that are told nothing, and say why each is not."""
    for route in session.exec(select(RouteRow).order_by(col(RouteRow.id))).all():
        about = f"route {route.id}"
        if route.removed_at is not None:
            continue
        if route.suspended_at is not None:
            says = f"suspended: {route.suspended_why}"
            yield wrong(about, says, f"Mend that, then: seedwatch routes resume {route.id}")
        elif route.confirmed_at is None:
            remedy = f"Open the link in its mail, or: seedwatch routes confirm {route.id}"
            yield doubtful(about, "not confirmed yet, so it is told nothing", remedy)


def _links(session: Session, settings: Settings) -> Iterator[Finding]:
    """Look whether people who are told by mail can open the links in it."""
    base = settings.web.base_url
    told = select(RouteRow.id).where(RouteRow.kind == "email", col(RouteRow.removed_at).is_(None))
    if urlsplit(base).hostname in THIS_MACHINE and session.exec(told.limit(1)).first() is not None:
        yield doubtful(
            "links in alerts",
            f"they lead to {base}, which only this machine can open",
            "Write how people reach the dashboard into [web] base_url.",
        )


def _troubles(session: Session, _settings: Settings) -> Iterator[Finding]:
    """What the upkeep of a running installation has found and not seen end."""
    found = [row for row in open_troubles(session) if row.key.partition(":")[0] not in _SEEN_HERE]
    for row in found:
        yield wrong(f"trouble since {row.opened_at:%Y-%m-%d %H:%M} UTC", row.sentence, row.remedy)
    if not found:
        yield fine("troubles", "none is open but what is told above")


_LOOKS: dict[str, Callable[[Session, Settings], Iterator[Finding]]] = {
    "mailbox passwords": _secrets,
    "worker": _queue,
    "work given up": _dead,
    "seeds": _seeds,
    "readers": _readers,
    "alerts": _alerts,
    "routes": _routes,
    "links in alerts": _links,
    "troubles": _troubles,
}
# Troubles whose present state other looks tell.
_SEEN_HERE = frozenset({"queue", "reader", "worker", "alerts", "route"})
