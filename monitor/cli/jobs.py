"""`seedwatch jobs`: work that was given up, and trying it again."""

from collections.abc import Sequence
from pathlib import Path

import click
from sqlmodel import Session

from monitor.cli.context import config_option, json_option, open_house, print_json, print_table
from monitor.core.errors import BadInputError, NotFoundError
from monitor.store import backlog
from monitor.store.work_tables import JobRow

LARGEST_ID = 2**31 - 1


@click.group()
def jobs() -> None:
    """Work that was given up: what, why, and try it again."""


@jobs.command("list")
@config_option
@json_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
def list_(config: Path, as_json: bool, limit: int) -> None:
    """Show the jobs that were given up, the latest first, each with the reason."""
    with open_house(config) as house, Session(house.engine) as session:
        dead = backlog.dead(session, limit=limit)
    if as_json:
        print_json([_as_json(job) for job in dead])
    elif not dead:
        click.echo("No job was given up.")
    else:
        print_table(
            ("job", "kind", "of", "given up (UTC)", "why"),
            [
                (job.id, job.kind, _words(job), f"{job.done_at:%Y-%m-%d %H:%M}", job.last_error)
                for job in dead
            ],
        )


@jobs.command("revive")
@config_option
@click.argument("ids", metavar="ID", nargs=-1, type=click.IntRange(1, LARGEST_ID))
@click.option("--all", "all_", is_flag=True, help="Every job that was given up.")
def revive(config: Path, ids: tuple[int, ...], all_: bool) -> None:
    """Let jobs that were given up run again, with all their attempts.

    Mend the cause first: seedwatch jobs list says what it was.
    """
    if bool(ids) == all_:
        raise BadInputError(
            "ID", " ".join(map(str, ids)), "or --all is needed", remedy="Name jobs, or say --all."
        )
    with open_house(config) as house, Session(house.engine) as session:
        wanted = backlog.dead_ids(session) if all_ else _known(session, ids)
        revived = [backlog.revive(session, job, now=house.clock.now()) for job in wanted]
        session.commit()
    click.echo(f"{sum(revived)} of {len(wanted)} jobs are due now; the worker does them.")
    if not all(revived):
        click.echo("The others were asked for again meanwhile: that work waits already.")


def _known(session: Session, ids: Sequence[int]) -> list[int]:
    missing = sorted(set(ids) - set(backlog.dead_ids(session)))
    if missing:
        raise NotFoundError(
            f"no job {missing[0]} was given up.", remedy="seedwatch jobs list shows all."
        )
    return list(dict.fromkeys(ids))


def _words(job: JobRow) -> str:
    return ", ".join(f"{name} {value}" for name, value in job.args.items())


def _as_json(job: JobRow) -> dict[str, object]:
    return {
        "id": job.id,
        "kind": job.kind,
        "args": job.args,
        "attempts": job.attempt,
        "given_up_at": job.done_at,
        "why": job.last_error,
    }
