"""`seedwatch doctor`: everything that could be wrong with this installation."""

import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from monitor.cli.context import TROUBLE, config_option, json_option, print_json
from monitor.core.clock import SystemClock
from monitor.core.errors import SeedwatchError
from monitor.core.seeds import ProviderFacts
from monitor.rendering import environment
from monitor.settings import Settings, load_settings
from monitor.store import backlog, jobs, pages_seeds
from monitor.store.engine import is_current, open_engine
from monitor.store.secrets import Vault
from monitor.store.tables import RouteRow, SeedRow
from monitor.store.verdict_tables import AlertRow
from monitor.wiring import load_facts

LATE = timedelta(minutes=10)  # work that waits longer than this has no worker
LOW_DISK = 512 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    about: str
    ok: bool
    says: str
    remedy: str = ""


def fine(about: str, says: str) -> Finding:
    return Finding(about, ok=True, says=says)


def wrong(about: str, says: str, remedy: str) -> Finding:
    return Finding(about, ok=False, says=says, remedy=remedy)


@click.command()
@config_option
@json_option
def doctor(config: Path, as_json: bool) -> None:
    """Look for everything that could be wrong here, each with its remedy.

    Exit status 1 if anything is.
    """
    findings = list(_examine(config))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(f"[{'ok' if finding.ok else '!!'}] {finding.about}: {finding.says}")
            if finding.remedy:
                click.echo(f"     {finding.remedy}")
    if not all(finding.ok for finding in findings):
        raise click.exceptions.Exit(TROUBLE)


def _examine(config: Path) -> Iterator[Finding]:
    try:
        settings = load_settings(config)
    except SeedwatchError as error:
        yield wrong("configuration", error.what, error.remedy or "Run seedwatch init.")
        return
    yield fine("configuration", str(config))
    yield _mode(config)
    yield _disk(config)
    yield _templates(settings)
    yield from _facts(settings)
    yield from _database(settings)


def _mode(config: Path) -> Finding:
    mode = stat.S_IMODE(config.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return wrong(
            "secret key",
            f"others on this machine may read {config} (mode {mode:04o})",
            f"Run: chmod 600 {config}",
        )
    return fine("secret key", "only you can read it")


def _disk(config: Path) -> Finding:
    free = shutil.disk_usage(config.resolve().parent).free
    says = f"{free / 1024**3:.1f} GB free"
    if free < LOW_DISK:
        return wrong("disk", says, "Make room: a full disk stops everything.")
    return fine("disk", says)


def _templates(settings: Settings) -> Finding:
    names = environment(settings.data.templates_dir).list_templates(extensions=["html", "txt"])
    return (
        fine("templates", f"{len(names)} found")
        if names
        else wrong(
            "templates", "none were found", "Install Seedwatch again: its data files are missing."
        )
    )


def _facts(settings: Settings) -> Iterator[Finding]:
    try:
        facts: dict[str, ProviderFacts] = load_facts(settings.data.seedlists_dir)
    except SeedwatchError as error:
        yield wrong("provider facts", error.what, error.remedy)
    else:
        yield fine("provider facts", f"{len(facts)} providers are known")


def _database(settings: Settings) -> Iterator[Finding]:
    engine = open_engine(settings.database.url)
    try:
        if not is_current(engine):
            yield wrong(
                "database", "its version is not this program's", "Run: seedwatch db upgrade"
            )
            return
        yield fine("database", "reachable and up to date")
        with Session(engine) as session:
            for look in _LOOKS:
                yield look(session, settings)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__)
        yield wrong("database", f"cannot be used: {reason}", "Check [database] url.")
    finally:
        engine.dispose()


def _secrets(session: Session, settings: Settings) -> Finding:
    vault = Vault([key.get_secret_value() for key in settings.secrets.keys])
    seeds = session.exec(select(SeedRow)).all()
    unreadable = []
    for seed in seeds:
        try:
            _ = seed.secret and vault.open(f"seed:{seed.address}", seed.secret)
        except SeedwatchError:
            unreadable.append(seed.address)
    if unreadable:
        return wrong(
            "mailbox passwords",
            f"{len(unreadable)} of {len(seeds)} cannot be read with this secret key",
            "Put the old key back into [secrets], or import these seeds again: "
            + ", ".join(unreadable[:5]),
        )
    return fine("mailbox passwords", f"all {len(seeds)} can be read")


def _queue(session: Session, _settings: Settings) -> Finding:
    now = SystemClock().now()
    counts = jobs.counts(session, now=now)
    due = jobs.next_due(session)
    if due is not None and now - due > LATE:
        return wrong(
            "worker",
            f"{counts.late} jobs wait, the oldest since {due:%Y-%m-%d %H:%M} UTC",
            "Start one: seedwatch serve, or seedwatch worker.",
        )
    return fine("worker", f"{counts.due} jobs are due, none is late")


def _dead(session: Session, _settings: Settings) -> Finding:
    dead = backlog.dead(session, limit=3)
    if dead:
        last = "; ".join(f"{job.kind}: {job.last_error}" for job in dead)
        return wrong("work given up", last, "Mend the cause; seedwatch will go on with new work.")
    return fine("work given up", "none")


def _seeds(session: Session, _settings: Settings) -> Finding:
    health = pages_seeds.seed_health(session, since=SystemClock().now() - timedelta(days=3))
    failing = [seed for seed in health if seed.is_failing]
    if failing:
        return wrong(
            "seeds",
            f"{len(failing)} of {len(health)} cannot be read",
            "Run: seedwatch seeds check",
        )
    if not health:
        return wrong("seeds", "there are none", "Run: seedwatch seeds import FILE")
    return fine("seeds", f"{len(health)} known, none is failing")


def _alerts(session: Session, _settings: Settings) -> Finding:
    dead = session.exec(select(AlertRow).where(col(AlertRow.dead_at).is_not(None))).all()
    if dead:
        return wrong("alerts", f"{len(dead)} were not delivered: {dead[-1].error}", "Check routes.")
    if session.exec(select(RouteRow)).first() is None:
        return wrong("alerts", "nobody is told", "Use: seedwatch test send --alert-to ADDRESS")
    return fine("alerts", "all were delivered")


_LOOKS: tuple[Callable[[Session, Settings], Finding], ...] = (
    _secrets,
    _queue,
    _dead,
    _seeds,
    _alerts,
)
