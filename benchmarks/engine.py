"""The work engine's speed, and the price of its promises, in one run.

    python benchmarks/engine.py                # SQLite; queues: memory, file
    python benchmarks/engine.py --jobs 10000
    python benchmarks/engine.py --queue redis://127.0.0.1:6379/0
    python benchmarks/engine.py --database postgresql+psycopg://USER@HOST/EMPTY_DATABASE

*bare* is the least that any durable queue must do on the same database: for each job one
transaction that marks a row. *engine* does what a crash asks for besides: claim under a
lease, fence, completion in the handler's transaction.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, text
from sqlmodel import Session

from monitor.core.clock import ManualClock
from monitor.store import jobs
from monitor.store.engine import open_engine, upgrade
from monitor.store.jobs import Job
from monitor.worker import Worker

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
DRAINS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=3000)
    parser.add_argument("--quick", action="store_true", help="200 jobs: only that it runs")
    parser.add_argument("--database", help="in place of a SQLite file; must be empty")
    parser.add_argument("--queue", action="append", help="in place of memory and a file")
    args = parser.parse_args()
    if args.quick:
        args.jobs = 200
    with database(args.database) as (engine, folder):
        put_rate = put(engine, args.jobs, "bare")
        bare_rate = mark_bare(engine)
        print(f"{args.jobs} jobs on {engine.dialect.name}")
        print(f"put         {put_rate:8.0f} jobs/s, in one transaction")
        print(f"bare        {bare_rate:8.0f} jobs/s")
        for queue in args.queue or ["memory", f"sqlite:{folder / 'queue.db'}"]:
            rate, latency_ms = drain(engine, queue, args.jobs)
            name = queue.partition(":")[0]
            print(
                f"engine      {rate:8.0f} jobs/s through {name}: {bare_rate / rate:.1f} times bare;"
                f" one job alone takes {latency_ms:.1f} ms"
            )


@contextmanager
def database(url: str | None) -> Iterator[tuple[Engine, Path]]:
    with tempfile.TemporaryDirectory() as name:
        engine = open_engine(url or f"sqlite:///{name}/seedwatch.db")
        upgrade(engine)
        yield engine, Path(name)
        engine.dispose()


def put(engine: Engine, count: int, prefix: str) -> float:
    began = time.perf_counter()
    with Session(engine) as session:
        for number in range(count):
            jobs.put(session, "work", {"n": number}, unique_key=f"{prefix}:{number}", due_at=START)
        session.commit()
    return count / (time.perf_counter() - began)


def mark_bare(engine: Engine) -> float:
    """Mark every job done, one transaction each, with nothing else around it."""
    done = text("UPDATE job SET state = 'done' WHERE id = :id")
    with engine.connect() as connection:
        ids = connection.execute(text("SELECT id FROM job WHERE state = 'due'")).scalars().all()
        connection.commit()
        began = time.perf_counter()
        for job_id in ids:
            connection.execute(done, {"id": job_id})
            connection.commit()
        return len(ids) / (time.perf_counter() - began)


def drain(engine: Engine, queue: str, count: int) -> tuple[float, float]:
    """Return jobs a second for many jobs, and milliseconds for one job alone (median)."""
    worker = Worker(
        engine, {"work": nothing}, ManualClock(START), rng=random.Random(1), queue=queue
    )
    put(engine, count, queue)
    with worker:
        began = time.perf_counter()
        ran = worker.drain()
        rate = ran / (time.perf_counter() - began)
        single: list[float] = []
        for number in range(DRAINS):
            put(engine, 1, f"{queue}:{number}")
            began = time.perf_counter()
            worker.drain()
            single.append(time.perf_counter() - began)
    return rate, statistics.median(single) * 1000


def nothing(_session: Session, _job: Job) -> None:
    pass


main()
