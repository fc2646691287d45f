"""A worker process for test_kill.py: runs jobs until none is left, or until it is killed.

Says "begun" whenever a job has done half of its work, so that the parent can kill it then.
"""

import random
import sys
import threading
from datetime import timedelta

from sqlalchemy import text
from sqlmodel import Session

from monitor.core.clock import SystemClock
from monitor.store import jobs
from monitor.store.engine import open_engine
from monitor.store.jobs import Job
from monitor.worker import Worker

URL, QUEUE, LEASE_S, HALF_S = sys.argv[1:5]
LOOK_S = 0.05


def append(session: Session, job: Job) -> None:
    """Leave one row for each time that the job took effect."""
    session.execute(text("INSERT INTO effect (name) VALUES (:name)"), {"name": job.unique_key})
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    threading.Event().wait(float(HALF_S))


def main() -> None:
    clock, stop = SystemClock(), threading.Event()
    engine = open_engine(URL)
    worker = Worker(
        engine,
        {"append": append},
        clock,
        rng=random.Random(1),
        lease=timedelta(seconds=float(LEASE_S)),
        queue=QUEUE,
    )
    running = threading.Thread(target=worker.run, args=(stop,))
    running.start()
    due = 1
    while due and not stop.wait(LOOK_S):
        with Session(engine) as session:
            due = jobs.counts(session, now=clock.now()).due
    stop.set()
    running.join()
    engine.dispose()


main()
