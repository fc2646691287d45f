"""Worker processes for test_kill_line.py: they do what is due, and die in the middle of it.

This process loads the program once, and forks a worker whenever there is none: so a restart
costs next to nothing. A worker reads orders as lines of JSON: until when to work, and at which
moments of its work to die of SIGKILL. It says when it has begun, where it dies, and when all
that was due is done.
"""

import json
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.orm import Session as AnySession
from sqlmodel import Session

from monitor.alerts.email import EmailAlerter
from monitor.core.campaigns import Found, Handover, Letter, Wanted
from monitor.core.clock import Clock, ManualClock
from monitor.core.ports import Mailbox, Transport
from monitor.core.seeds import Account, Endpoint, ProviderFacts, Security
from monitor.senders.smtp import SmtpTransport
from monitor.settings import Settings, load_settings
from monitor.store.jobs import Job
from monitor.wiring import Edges, House, build, edges_from
from monitor.worker import Handler, Worker

CONFIG, ROUTES, START = sys.argv[1:4]  # a file; JSON of domain -> host and port; a moment


def say(**what: object) -> None:
    """Write one line whole, whatever other threads do."""
    os.write(1, json.dumps(what).encode() + b"\n")


@dataclass
class Fate:
    """At which moments this process dies: the name of one, and how many of it it survives."""

    doom: dict[str, int] = field(default_factory=dict)
    doing: dict[int, str] = field(default_factory=dict)  # thread -> moment it passed last
    _mine: threading.local = field(default_factory=threading.local)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pass_by(self, moment: str) -> None:
        """Go through *moment* of the work under way in this thread, or die of it."""
        name = f"{getattr(self._mine, 'kind', 'worker')}: {moment}"
        with self._lock:
            self.doing[threading.get_ident()] = name
            left = self.doom.get(name)
            if left is None:
                return
            self.doom[name] = left - 1
            if left > 0:
                return
            say(dies=name, others=sorted(set(self.doing.values()) - {name}))
            os.kill(os.getpid(), signal.SIGKILL)

    def during(self, kind: str, handler: Handler) -> Handler:
        """Let what *handler* does count as work of this *kind*, its last commit included."""

        def mortal(session: Session, job: Job) -> None:
            self._mine.kind = kind
            self._mine.is_over = False
            self.pass_by("begun")
            try:
                handler(session, job)
            finally:
                self._mine.is_over = True

        return mortal

    def commit(self) -> None:
        self.pass_by("about to commit")

    def committed(self) -> None:
        self.pass_by("committed")
        if getattr(self._mine, "is_over", True):
            self._mine.kind = "worker"


class MortalTransport:
    """A transport whose user may die before or after each letter."""

    def __init__(self, inner: Transport, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        return self._each(iter(self._inner.send(letters)), len(letters))

    def _each(self, outcomes: Iterator[Handover], count: int) -> Iterator[Handover]:
        for _ in range(count):
            self._fate.pass_by("about to hand over")
            outcome = next(outcomes)
            self._fate.pass_by("handed over")
            yield outcome


class MortalMailbox:
    """A mailbox whose reader may die before or after a look."""

    def __init__(self, inner: Mailbox, fate: Fate) -> None:
        self._inner, self._fate = inner, fate
        self.read, self.close = inner.read, inner.close

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        self._fate.pass_by("about to look")
        found = self._inner.look(wanted)
        self._fate.pass_by("looked")
        return found


def mortal_edges(settings: Settings, clock: Clock, fate: Fate) -> Edges:
    """The real edges, leading to the lab, with moments to die at."""
    routes: dict[str, tuple[str, int]] = json.loads(ROUTES)

    def route(recipient: str) -> Endpoint:
        host, port = routes[recipient.rpartition("@")[2]]
        return Endpoint(host, port, Security.PLAIN)

    real = edges_from(settings, clock)
    transport = MortalTransport(SmtpTransport(route, hostname="a.example", timeout_s=10), fate)

    def open_mailbox(account: Account, facts: ProviderFacts | None) -> Mailbox:
        return MortalMailbox(real.open_mailbox(account, facts), fate)

    return replace(
        real,
        transport=transport,
        open_mailbox=open_mailbox,
        alerters={"email": EmailAlerter(transport, settings.alerts.from_address, clock)},
    )


def mortal_worker(house: House, fate: Fate) -> Worker:
    """The house's worker, with moments to die at around all that it commits."""
    worker = house.worker()
    event.listen(house.engine, "commit", lambda _connection: fate.commit())
    event.listen(AnySession, "after_commit", lambda _session: fate.committed())
    handlers = {kind: fate.during(kind, one) for kind, one in worker.handlers.items()}
    return replace(worker, handlers=handlers)


def work() -> None:
    """Be a worker until there are no more orders."""
    settings = load_settings(Path(CONFIG), {})
    clock, fate = ManualClock(datetime.fromisoformat(START)), Fate()
    edges = mortal_edges(settings, clock, fate)
    house = build(settings, clock=clock, rng=random.SystemRandom(), edges=edges)
    with mortal_worker(house, fate) as worker:
        say(begun=os.getpid())
        for line in sys.stdin:
            order = json.loads(line)
            fate.doom = dict(order["doom"])
            clock.set(datetime.fromisoformat(order["until"]))
            worker.drain()
            say(done=order["number"])
    house.close()


def main() -> int:
    """Keep one worker alive; return how it ended by itself."""
    while True:
        child = os.fork()
        if child == 0:
            work()
            return 0
        _, ended = os.waitpid(child, 0)
        if os.WIFEXITED(ended):
            return os.WEXITSTATUS(ended)
        say(died=os.WTERMSIG(ended))


sys.exit(main())
