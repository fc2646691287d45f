"""How fast, and how surely, many routes are told of one incident.

    python benchmarks/warning.py             # 1,000 webhooks; and again, killed ten times
    python benchmarks/warning.py --quick     # 40 webhooks, two kills: only that it runs

One incident hits a thousand senders, each with a webhook of its own at one local endpoint. The
worker is a process of its own, as `seedwatch worker` runs it: the embedded default, on SQLite. The
second round ends it with kill -9 in the middle, time after time. The endpoint counts what it is
told by the delivery's id (`webhook-id`), by which a receiver drops what it knows.
"""

import argparse
import asyncio
import multiprocessing
import queue
import random
import resource
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from multiprocessing.connection import Connection
from pathlib import Path

from aiosmtpd.controller import Controller
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlmodel import Session, col, func, select

from monitor.core.clock import SystemClock
from monitor.core.incidents import Cause, IncidentEvent, State
from monitor.core.seeds import Security
from monitor.settings.sections import Alerts, Database, Secrets, Sending, Settings, Worker
from monitor.steps.judge import Bench
from monitor.store import incidents, jobs, observations
from monitor.store.engine import upgrade
from monitor.store.route_secrets import keep_signing_secrets, new_signing_secret
from monitor.store.route_tables import RouteRow
from monitor.store.tables import OrganisationRow, SenderRow
from monitor.store.verdict_tables import AlertRow
from monitor.wiring import House, build

SPAWN = multiprocessing.get_context("spawn")
WITHIN_S = 300.0
LEASE_S = 5  # shorter than may be configured: what a killed worker held is free again after it


@dataclass
class Round:
    """What became of one round."""

    seconds: float
    posts: Counter[str]  # by delivery id
    unsent: int  # rows

    def says(self, routes: int) -> str:
        twice = sum(self.posts.values()) - len(self.posts)
        told = f"{len(self.posts):,} of {routes:,} deliveries in {self.seconds:.1f} s"
        return f"{told}; posted again under the same id: {twice}; rows not sent: {self.unsent}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routes", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="40 routes, two kills")
    args = parser.parse_args()
    routes, kills = (40, 2) if args.quick else (args.routes, args.kills)
    line = time_the_line(5 if args.quick else 40)
    middle, slowest = line[len(line) // 2], line[-1]
    print(f"from observation to mail server: {middle:.2f} s, at worst {slowest:.2f} s", flush=True)
    calm = play(routes, kills=0)
    print(f"undisturbed:     {calm.says(routes)}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"the worker's peak memory: {peak:.0f} MiB")
    killed = play(routes, kills=kills)
    print(f"killed {kills} times: {killed.says(routes)}")
    for played in (calm, killed):
        assert len(played.posts) == routes
        assert played.unsent == 0
    assert max(calm.posts.values()) == 1


def play(routes: int, *, kills: int) -> Round:
    """Tell so many routes of one incident, with a worker that is killed so many times."""
    with tempfile.TemporaryDirectory() as folder, endpoint() as (port, posts):
        settings = settings_at(Path(folder))
        house = build(settings, clock=SystemClock(), rng=random.Random(1))
        upgrade(house.engine)
        furnish(house, routes, port)
        began = time.perf_counter()
        worker = start(settings)
        for number in range(kills):
            wait_for(posts, (number + 1) * routes // (kills + 1), worker)
            worker.kill()
            worker.join()
            worker = start(settings)
        wait_for(posts, routes, worker)
        seconds = time.perf_counter() - began
        unsent = settle(house)
        worker.terminate()
        worker.join()
        house.close()
        return Round(seconds, posts, unsent)


def settings_at(folder: Path) -> Settings:
    return Settings(
        database=Database(url=f"sqlite:///{folder / 'warning.db'}"),
        secrets=Secrets(key=(SecretStr(Fernet.generate_key().decode()),)),
        worker=Worker.model_construct(lease_seconds=LEASE_S),
        alerts=Alerts(allow_private=(ip_network("127.0.0.0/8"),), prove_domains=False),
    )


def furnish(house: House, routes: int, port: int) -> None:
    """Write senders with a webhook each, one incident that hits them all, and the work due."""
    now = house.clock.now()
    with Session(house.engine) as session:
        session.add(OrganisationRow(id=1, name="All"))
        session.flush()
        keys = [f"sender{n}.example" for n in range(routes)]
        for number, key in enumerate(keys, 1):
            session.add(sender(number, key))
        session.flush()
        for number in range(1, routes + 1):
            route = RouteRow(
                id=number,
                organisation_id=1,
                sender_id=number,
                kind="webhook",
                address=f"http://127.0.0.1:{port}/{number}",
                confirmed_at=now,
            )
            keep_signing_secrets(route, house.vault, new_signing_secret())
            session.add(route)
        row = incidents.append(session, event(tuple(keys), now))
        args, key = {"event": row.id}, f"warn:{row.id}"
        jobs.put(session, "warn", args, unique_key=key, due_at=now)
        session.commit()


def sender(number: int, key: str) -> SenderRow:
    return SenderRow(
        id=number, organisation_id=1, key=key, name=key, from_domain=key, mail_from=f"b@{key}"
    )


def event(keys: tuple[str, ...], now: datetime) -> IncidentEvent:
    return IncidentEvent(
        at=now,
        incident="microsoft365-1",
        state=State.CONFIRMED,
        cause=Cause.PROVIDER,
        provider="microsoft365",
        start=now,
        start_low=now,
        start_high=now,
        posterior={Cause.PROVIDER: 0.97, Cause.INSUFFICIENT: 0.03},
        sentence="Microsoft 365 quarantines mail.",
        reason="all senders are hit",
        hit=keys,
    )


def settle(house: House) -> int:
    """Wait until the last outcomes are written; return how many alerts are not sent."""
    unsent = -1
    until = time.perf_counter() + 30
    while unsent != 0 and time.perf_counter() < until:
        with Session(house.engine) as session:
            owed = select(func.count(col(AlertRow.id))).where(col(AlertRow.sent_at).is_(None))
            unsent = session.exec(owed).one()
        time.sleep(0.1)
    return unsent


def start(settings: Settings) -> multiprocessing.context.SpawnProcess:
    worker = SPAWN.Process(target=work, args=(settings,))
    worker.start()
    return worker


def work(settings: Settings) -> None:
    house = build(settings, clock=SystemClock(), rng=random.SystemRandom())
    house.worker().run(threading.Event())


def wait_for(posts: Counter[str], count: int, worker: multiprocessing.context.SpawnProcess) -> None:
    until = time.perf_counter() + WITHIN_S
    while len(posts) < count:
        if time.perf_counter() > until or not worker.is_alive():
            raise TimeoutError(f"{len(posts)} of {count} deliveries came")
        time.sleep(0.005)


@contextmanager
def endpoint() -> Iterator[tuple[int, Counter[str]]]:
    """A receiver of webhooks in a process of its own; its port, and what it was told by id."""
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=serve, args=(there,))
    process.start()
    posts: Counter[str] = Counter()
    port = here.recv()

    def count() -> None:
        with suppress(EOFError, OSError):
            while True:
                posts[here.recv()] += 1

    threading.Thread(target=count, daemon=True).start()
    try:
        yield port, posts
    finally:
        process.terminate()
        process.join()


def serve(pipe: Connection) -> None:
    asyncio.run(listen(pipe))


async def listen(pipe: Connection) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            fields = dict(line.split(": ", 1) for line in head if ": " in line)
            await reader.readexactly(int(fields.get("content-length", "0")))
            pipe.send(fields["webhook-id"])
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=500)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class SaysAtOnce:
    """A judge that confirms an incident whenever it is told anything: the line is measured."""

    def __init__(self, _snapshot: object = None) -> None:
        self.told = 0

    def tick(self, now: datetime) -> list[IncidentEvent]:
        self.told += 1
        return [replace(event(("sender.example",), now), incident=f"incident {self.told}")]

    def snapshot(self) -> dict[str, object]:
        return {"told": self.told}


def time_the_line(rounds: int) -> list[float]:
    """Seconds from an observation's commit to its alert's last byte at the mail server."""
    with tempfile.TemporaryDirectory() as folder, mail_server() as (port, arrived):
        sending = Sending(host="127.0.0.1", port=port, security=Security.PLAIN)
        settings = settings_at(Path(folder)).model_copy(update={"sending": sending})
        house = build(settings, clock=SystemClock(), rng=random.Random(1))
        house = replace(house, bench=Bench(SaysAtOnce))  # type: ignore[arg-type]
        upgrade(house.engine)
        with Session(house.engine) as session:
            session.add(OrganisationRow(id=1, name="All"))
            session.flush()
            session.add(sender(1, "sender.example"))
            session.flush()
            now = house.clock.now()
            to = RouteRow(organisation_id=1, sender_id=1, address="a@b.example", confirmed_at=now)
            session.add(to)
            session.commit()
        stop = threading.Event()
        worker = threading.Thread(target=house.worker().run, args=(stop,))
        worker.start()
        seconds = [one_way(house, arrived, number) for number in range(rounds)]
        stop.set()
        worker.join()
        house.close()
        return sorted(seconds)


def one_way(house: House, arrived: "queue.Queue[float]", number: int) -> float:
    time.sleep(0.3 + 0.037 * (number % 7))  # not in step with the worker's looks for work
    at = house.clock.now() + timedelta(minutes=number)  # a moment that was not told yet
    with Session(house.engine) as session:
        observations.pass_time(session, now=at)
        observations.wake_judge(session, now=house.clock.now())
        session.commit()
    began = time.perf_counter()
    return arrived.get(timeout=60) - began


@contextmanager
def mail_server() -> Iterator[tuple[int, "queue.Queue[float]"]]:
    """A mail server that takes everything, and says when each message was whole."""
    arrived: queue.Queue[float] = queue.Queue()

    class Taking:
        async def handle_DATA(self, *_: object) -> str:  # noqa: N802 - its name in aiosmtpd
            arrived.put(time.perf_counter())
            return "250 taken"

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = Controller(Taking(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield port, arrived
    finally:
        server.stop()


if __name__ == "__main__":
    main()
