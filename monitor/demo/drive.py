"""Drive the demo's clock: jump to the next thing that is due, do it, jump again."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlmodel import Session

from monitor.demo.stage import START, Stage
from monitor.store import jobs, schedules
from monitor.worker import Worker


def drive(
    stage: Stage,
    worker: Worker,
    *,
    until: timedelta,
    on_step: Callable[[timedelta], bool],
) -> None:
    """Run everything that falls due up to *until* after the start.

    Args:
        on_step: called after each jump with the lab time since the start; True ends the drive.
    """
    end = START + until
    while (moment := _next_moment(stage)) is not None and moment <= end:
        stage.clock.set(moment)
        worker.drain()
        if on_step(moment - START):
            return


def _next_moment(stage: Stage) -> datetime | None:
    """The lab needs no jump of its own: it settles what has fallen due when it is asked."""
    with Session(stage.house.engine) as session:
        due = [jobs.next_due(session), schedules.next_slot(session)]
    known = [moment for moment in due if moment is not None]
    return min(known) if known else None
