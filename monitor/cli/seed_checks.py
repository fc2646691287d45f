"""`seedwatch seeds check` and `seedwatch seeds health`."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import click
from sqlmodel import Session

from monitor.cli.context import (
    TROUBLE,
    config_option,
    json_option,
    open_house,
    organisation_id,
    print_json,
    print_table,
    printable,
)
from monitor.cli.seed_trials import Mail, Trial, Trials
from monitor.cli.seeds import list_option
from monitor.core.errors import BadInputError
from monitor.core.folders import FolderSight
from monitor.core.providers import nearest
from monitor.store import seed_health
from monitor.store import seeds as rows
from monitor.store.columns import saved
from monitor.store.pages_seeds import SeedHealth, health_of
from monitor.store.seed_health import Attempt
from monitor.store.tables import SeedRow

WAIT_S = 120.0


@click.command("check")
@config_option
@list_option
@json_option
@click.option("--no-mail", is_flag=True, help="Only sign in and look; send nothing.")
@click.option("--only", multiple=True, metavar="ADDRESS", help="Only this seed; may be repeated.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(1, 3600),
    default=WAIT_S,
    show_default=True,
    help="Seconds to look for the message.",
)
def check(
    config: Path, name: str, as_json: bool, no_mail: bool, only: tuple[str, ...], wait_s: float
) -> None:
    """Try every seed: sign in, tell its folders, send it one message and find that.

    The message says what it is and stays where it is: nothing in a mailbox is changed.
    Exit status 1 if any seed fails.
    """
    with open_house(config) as house, Session(house.engine) as session:
        newest = rows.newest_list(session, organisation_id(session), name)
        members = _chosen(rows.of_list(session, saved(newest.id)), only)
        session.expunge_all()  # they are read by many threads
        session.rollback()
        progress = _Progress(len(members))
        trials = Trials(house, members, progress.tell)
        began = house.clock.now()
        trials.sign_in()
        for trial in trials.all:
            attempt = Attempt(saved(trial.seed.id), began, trial.latency_s, trial.error)
            seed_health.record(session, attempt)
        session.commit()
        if not no_mail:
            progress.again()
            trials.send_and_find(timedelta(seconds=wait_s))
    tried = sorted(trials.all, key=lambda trial: (trial.seed.provider, trial.seed.address))
    if as_json:
        print_json([_as_json(trial) for trial in tried])
    else:
        _print(tried)
    if not all(trial.is_ok for trial in tried):
        raise click.exceptions.Exit(TROUBLE)


class _Progress:
    """One line on standard error for each seed that is done."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def again(self) -> None:
        self._done = 0

    def tell(self, trial: Trial) -> None:
        self._done += 1
        line = f"[{self._done}/{self._total}] {trial.seed.address}: {trial.says}"
        click.echo(printable(line), err=True)


def _chosen(members: Sequence[SeedRow], only: Sequence[str]) -> list[SeedRow]:
    known = {seed.address.lower(): seed for seed in members}
    for address in only:
        if address.lower() not in known:
            remedy = nearest(address.lower(), list(known))[:500]
            raise BadInputError("--only", address, "is not in this list", remedy=remedy)
    return [known[address.lower()] for address in dict.fromkeys(only)] or list(members)


def _as_json(trial: Trial) -> dict[str, object]:
    """The shape that docs/seedlists.md describes."""
    problem = trial.problem
    return {
        "address": trial.seed.address,
        "provider": trial.seed.provider,
        "reader": trial.seed.reader,
        "ok": trial.is_ok,
        "says": trial.says,
        "trouble": problem.trouble if problem else None,
        "problem": problem.says if problem else None,
        "remedy": problem.remedy if problem else None,
        "latency_s": None if trial.error else trial.latency_s,
        "folders": [_folder(sight) for sight in trial.folders],
        "warnings": trial.warnings,
        "mail": _mail(trial.mail) if trial.mail else None,
    }


def _folder(sight: FolderSight) -> dict[str, object]:
    return asdict(sight)


def _mail(mail: Mail) -> dict[str, object]:
    found = mail.found
    return {
        "via": mail.via,
        "message_id": mail.wanted.message_id,
        "outcome": mail.outcome,
        "found_after_s": mail.found_after_s,
        "folder": found.folder if found else None,
        "role": found.role if found else None,
        "tab": found.tab if found else None,
        "match": found.match if found else None,
    }


def _print(tried: Sequence[Trial]) -> None:
    print_table(
        ("seed", "provider", "state", ""),
        [
            (t.seed.address, t.seed.provider, "ok" if t.is_ok else f"FAILS: {_word(t)}", t.says)
            for t in tried
        ],
    )
    for trial in tried:
        told = [(s.name, s.role or "not read", s.why) for s in trial.folders]
        if told:
            click.echo(f"\nFolders of {printable(trial.seed.address)}:")
            print_table(("  folder", "is", "because"), [(f"  {n}", r, w) for n, r, w in told])
        for warning in trial.warnings:
            click.echo(f"  Mind: {warning}")


def _word(trial: Trial) -> str:
    return trial.problem.trouble.replace("_", " ") if trial.problem else ""


@click.command("health")
@config_option
@list_option
@json_option
def health(config: Path, name: str, as_json: bool) -> None:
    """Say how reading each seed has gone of late, without looking anew.

    Exit status 1 if any of them cannot be read.
    """
    with open_house(config) as house, Session(house.engine) as session:
        newest = rows.newest_list(session, organisation_id(session), name)
        known = health_of(session, rows.of_list(session, saved(newest.id)))
    if as_json:
        print_json([_health_json(one) for one in known])
    else:
        _print_health(known)
    if any(one.is_failing for one in known):
        raise click.exceptions.Exit(TROUBLE)


def _health_json(one: SeedHealth) -> dict[str, object]:
    return {
        "address": one.address,
        "provider": one.provider,
        "failing": one.is_failing,
        "tried_at": _iso(one.looked_at),
        "read_at": _iso(one.known_at),
        "failures": one.failures,
        "failing_since": _iso(one.failing_since),
        "recovered_at": _iso(one.recovered_at),
        "latency_s": one.latency_s,
        "problem": one.reason,
        "remedy": one.remedy,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _print_health(known: Sequence[SeedHealth]) -> None:
    print_table(
        ("seed", "provider", "state", "last read", "in", ""),
        [
            (one.address, one.provider, _state(one), _at(one.known_at), _span(one), _why(one))
            for one in known
        ],
    )
    failing = [one for one in known if one.is_failing]
    if failing:
        click.echo(f"{len(failing)} of {len(known)} seeds cannot be read.")


def _state(one: SeedHealth) -> str:
    if one.is_failing:
        return f"FAILS since {_at(one.failing_since)}"
    if one.looked_at is None:
        return "never tried"
    return f"ok again since {_at(one.recovered_at)}" if one.recovered_at else "ok"


def _why(one: SeedHealth) -> str:
    return f"{one.reason} {one.remedy}".strip()


def _span(one: SeedHealth) -> str:
    return "" if one.latency_s is None else f"{one.latency_s:.1f} s"


def _at(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"
