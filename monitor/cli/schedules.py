"""`seedwatch schedules`: work that comes back."""

from pathlib import Path

import click
from sqlmodel import Session

from monitor.cli.context import (
    config_option,
    json_option,
    one_line,
    open_house,
    organisation_id,
    print_json,
    print_table,
)
from monitor.core.errors import BadInputError
from monitor.store import schedules as rows
from monitor.store.work_tables import ScheduleRow
from monitor.wiring.heartbeat import NAME as HEARTBEAT


@click.group()
def schedules() -> None:
    """Schedules: what comes back, when next, and how to end it."""


@schedules.command("list")
@config_option
@json_option
def list_(config: Path, as_json: bool) -> None:
    """Show all schedules, what comes next first.

    A new one is made by: seedwatch test send MESSAGE --every "daily 09:00"
    """
    with open_house(config) as house, Session(house.engine) as session:
        found = rows.all_schedules(session, organisation_id(session))
    if as_json:
        print_json([_as_json(one) for one in found])
        return
    print_table(
        ("schedule", "does", "when (UTC)", "next (UTC)"),
        [
            (one.name, one.kind, one.spec, f"{one.next_at:%Y-%m-%d %H:%M}" if one.enabled else "-")
            for one in found
        ],
    )


@schedules.command("stop")
@config_option
@click.argument("name", callback=one_line(100))
def stop(config: Path, name: str) -> None:
    """End the schedule NAME. What it has sent stays, and is looked for to the end.

    Sending the same message with --every begins it again.
    """
    with open_house(config) as house, Session(house.engine) as session:
        stopped = rows.stop(session, organisation_id(session), name)
        if _is_routine(stopped):
            raise BadInputError(
                "NAME",
                name,
                "is Seedwatch's own and would come back",
                remedy="Heartbeats end with enabled = false in [heartbeat]; the others stay.",
            )
        session.commit()
    click.echo(f"Stopped {name!r}.")


def _is_routine(schedule: ScheduleRow) -> bool:
    return schedule.kind != "start" or schedule.name == HEARTBEAT


def _as_json(schedule: ScheduleRow) -> dict[str, object]:
    return {
        "name": schedule.name,
        "does": schedule.kind,
        "spec": schedule.spec,
        "args": schedule.args,
        "enabled": schedule.enabled,
        "next_at": schedule.next_at if schedule.enabled else None,
    }
