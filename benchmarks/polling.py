"""Mailboxes a second when 1,000 Dovecot mailboxes of three folders are polled for copies.

    python -m benchmarks.polling             # 0 ms, then 50 ms a round trip
    python -m benchmarks.polling --quick     # 20 mailboxes: only that it runs

*First* connects, signs in and finds the copy; *later* asks again on the kept connection,
with nothing new, and then with a copy that has come since. Beside our reader stand (a) 16
threads of imaplib that SEARCH HEADER in every folder, and (b) the bound: threads / (round
trips x latency). A relay in a process of its own holds bytes back for half a round trip
each way, TCP's handshake too, and counts how often the client takes its turn.

Dovecot has its limits raised: `service_count = 0` and `client_limit = 25` (a process serves
many clients; with one process for each of 1,000 kept connections, every sign-in wakes all
that are idle, and costs twice as much), `process_limit`, the other services' `client_limit`
above the number of connections, and no `mail_max_userip_connections`. Mail lies in memory
where the system has a place for that. An unmeasured visit first lets it build its indexes.
Client, relay and server share the machine's cores.
"""

import argparse
import asyncio
import imaplib
import multiprocessing
import os
import random
import resource
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from monitor.core.campaigns import Wanted
from monitor.core.seeds import Account, Endpoint, ProviderFacts, Security
from monitor.mailboxes.imap import ImapMailbox
from tests.servers.dovecot import Dovecot, folders_of

POOL = 16  # threads of imaplib
FOLDERS = {"INBOX": "", "Junk": ".Junk", "Quarantine": ".Quarantine"}  # as Maildir has them
FILLING = {"INBOX": 10, "Junk": 5, "Quarantine": 1}  # messages of other people
FACTS = ProviderFacts("own", "Own", (), None, {})
SENT = datetime.now(UTC)

MANY = """
mail_fsync = never
mail_max_userip_connections = 0
default_vsz_limit = 1G
service imap-login {
  service_count = 0
  process_min_avail = 1
  client_limit = 8000
}
service imap {
  service_count = 0
  client_limit = 25
  process_limit = 3000
  idle_kill = 1h
}
service anvil {
  client_limit = 12000
}
service auth {
  client_limit = 16000
}
service stats {
  client_limit = 12000
}
"""


@dataclass(frozen=True)
class Bench:
    """Where and how to visit; `turns` tells how often clients have taken their turn so far."""

    endpoint: Endpoint
    home: Path  # of Dovecot
    count: int
    threads: int
    rtt_s: float
    turns: Callable[[], int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mailboxes", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--rtt", type=int, nargs="*", default=[0, 50], help="milliseconds")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    count, threads = (20, 8) if args.quick else (args.mailboxes, args.threads)
    raise_file_limit(4 * count + 1000)
    load = os.getloadavg()[0]
    print(f"{count} mailboxes, {threads} threads (imaplib: {POOL}), load before: {load:.1f}\n")
    with dovecot(count) as (endpoint, home):
        deliver(home, count, number=1)
        unmeasured = Ours(endpoint, count)
        visit_all(unmeasured, count, threads, 1)
        unmeasured.close()
        for number, rtt_ms in enumerate(args.rtt, start=2):
            print(f"{rtt_ms} ms a round trip")
            with relayed(endpoint, rtt_ms / 1000) as (near, turns):
                compare(Bench(near, home, count, threads, rtt_ms / 1000, turns), number)


def compare(bench: Bench, number: int) -> None:
    """Print a line for each kind of visit. Copies below *number* have arrived before."""
    head = ("", "mailboxes/s", "CPU s", "server's", "trips", "bound/s", "bound is", "of (a)")
    print("{:22}{:>12}{:>8}{:>10}{:>8}{:>9}{:>10}{:>8}".format(*head))
    bare = Bare(bench.endpoint, bench.count)
    pool = line(
        bench, "(a) imaplib, first", lambda: visit_all(bare.first, bench.count, POOL, 1), POOL
    )
    visit_all(bare.open, bench.count, POOL, 1)
    line(
        bench, "(a) imaplib, later", lambda: visit_all(bare.later, bench.count, POOL, 1), POOL, pool
    )
    bare.close()
    ours, threads = Ours(bench.endpoint, bench.count), bench.threads
    visit = partial(visit_all, ours, bench.count, threads)
    line(bench, "first", lambda: visit(1), threads, pool)
    for _ in range(2):
        line(bench, "later, nothing new", lambda: visit(1), threads, pool)
    deliver(bench.home, bench.count, number)
    line(bench, "later, a new copy", lambda: visit(number), threads, pool)
    ours.close()
    print()


def line(
    bench: Bench, name: str, work: Callable[[], None], threads: int, pool: float = 0.0
) -> float:
    """Do *work* once for all mailboxes, print how it went, and return mailboxes a second.

    A new connection waits once more than is counted: for TCP's own handshake.
    """
    turns, server_s = bench.turns(), server_cpu_s(bench.home)
    cpu_s, started = time.process_time(), time.perf_counter()
    work()
    rate = bench.count / (time.perf_counter() - started)
    cpu_s = time.process_time() - cpu_s
    server_s = server_cpu_s(bench.home) - server_s
    trips = (bench.turns() - turns) / bench.count
    waits = trips + ("first" in name)
    bound = threads / (waits * bench.rtt_s) if bench.rtt_s and waits else 0.0
    shown = f"{bound:.0f}" if bound else ""
    times = f"{bound / rate:.2f} x" if bound else ""
    beside = f"{rate / pool:.1f} x" if pool else ""
    cells = f"{rate:>12.0f}{cpu_s:>8.2f}{server_s:>10.2f}{trips:>8.2f}"
    print(f"{name:22}{cells}{shown:>9}{times:>10}{beside:>8}")
    return rate


def visit_all(visit: Callable[[int, int], bool], count: int, threads: int, number: int) -> None:
    """Visit each mailbox once, out of order: neighbours may be served by one process."""
    order = list(range(count))
    random.Random(number).shuffle(order)
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda at: visit(at, number), order))
    assert all(found), f"a copy was not found in {found.count(False)} mailboxes"


class Ours:
    """Our reader, each mailbox with its own kept connection."""

    def __init__(self, endpoint: Endpoint, count: int) -> None:
        self._mailboxes = [
            ImapMailbox(account(at, endpoint), FACTS, timeout_s=60) for at in range(count)
        ]
        self._found: set[tuple[int, int]] = set()

    def __call__(self, at: int, number: int) -> bool:
        was_found = (at, number) in self._found
        wanted = Wanted(message_id(at, number), f"t{number}", SENT, was_found=was_found)
        self._found.add((at, number))
        return len(self._mailboxes[at].look([wanted])) == 1

    def close(self) -> None:
        for mailbox in self._mailboxes:
            mailbox.close()


class Bare:
    """imaplib, as one would write it."""

    def __init__(self, endpoint: Endpoint, count: int) -> None:
        self._endpoint = endpoint
        self._kept: list[imaplib.IMAP4 | None] = [None] * count

    def first(self, at: int, number: int) -> bool:
        self.open(at, number)
        found = self.later(at, number)
        imap = self._kept[at]
        assert imap is not None
        imap.logout()
        return found

    def open(self, at: int, _: int) -> bool:
        imap = self._kept[at] = imaplib.IMAP4(self._endpoint.host, self._endpoint.port)
        return imap.login(f"u{at}", "pw")[0] == "OK"

    def later(self, at: int, number: int) -> bool:
        imap = self._kept[at]
        assert imap is not None
        found = 0
        for folder in FOLDERS:
            imap.select(folder, readonly=True)
            uids = imap.uid("SEARCH", "HEADER", "Message-ID", message_id(at, number))[1][0]
            found += len(uids.split())
        return found == 1

    def close(self) -> None:
        for imap in self._kept:
            if imap is not None:
                imap.shutdown()


def account(at: int, endpoint: Endpoint) -> Account:
    return Account(f"u{at}@own.example", "own", endpoint, f"u{at}", "pw")


def message_id(at: int, number: int) -> str:
    return f"<{at}.{number}@brand.example>"


@contextmanager
def dovecot(count: int) -> Iterator[tuple[Endpoint, Path]]:
    """Run Dovecot with *count* filled mailboxes u0, u1, ...; yield its directory too."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="dovecot-", dir=memory) as name:
        folders = folders_of({"Junk": "\\Junk", "Quarantine": ""})
        server = Dovecot(Path(name), {"folders": folders, "more": MANY})
        fill(server.folder / "mail", count)
        server.own_mail()
        server.start()
        try:
            yield server.endpoint, server.folder
        finally:
            server.stop()


def fill(mail: Path, count: int) -> None:
    text = b"From: a@elsewhere.example\r\nSubject: other mail\r\n%b\r\n" % (b"word " * 40)
    for at in range(count):
        for name, below in FOLDERS.items():
            maildir = mail / f"u{at}" / below
            for part in ("new", "tmp", "cur"):
                (maildir / part).mkdir(parents=True)
            if below:
                (maildir / "maildirfolder").touch()
            for n in range(FILLING[name]):
                head = b"Message-ID: <%d.%d@elsewhere.example>\r\n" % (at, n)
                (maildir / "cur" / f"{n}.own:2,").write_bytes(head + text)


def deliver(home: Path, count: int, number: int) -> None:
    """Put copy *number* into each mailbox: every fifth into Junk, every tenth into Quarantine."""
    for at in range(count):
        name = "Quarantine" if at % 10 == 3 else "Junk" if at % 5 == 1 else "INBOX"
        maildir = home / "mail" / f"u{at}" / FOLDERS[name]
        head = f"Message-ID: {message_id(at, number)}\r\nX-Seedwatch-Test: t{number}\r\n"
        path = maildir / "tmp" / f"copy{number}.own"
        path.write_bytes(
            head.encode() + b"From: news@brand.example\r\nSubject: hello\r\n\r\nhello\r\n"
        )
        path.rename(maildir / "new" / path.name)


@contextmanager
def relayed(target: Endpoint, rtt_s: float) -> Iterator[tuple[Endpoint, Callable[[], int]]]:
    """Run a relay in a process of its own; yield where it is, and who asks it for its count."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=run_relay, args=(there, target.host, target.port, rtt_s))
    process.start()

    def turns() -> int:
        here.send("turns")
        return int(here.recv())

    try:
        yield Endpoint("127.0.0.1", here.recv(), Security.PLAIN), turns
    finally:
        here.send("stop")
        process.join(30)


def run_relay(pipe: Connection, host: str, port: int, rtt_s: float) -> None:
    asyncio.run(Relay((host, port), rtt_s / 2).serve(pipe))


class Relay:
    """Passes bytes on after a delay, and counts how often a client takes its turn."""

    def __init__(self, target: tuple[str, int], delay_s: float) -> None:
        self.target = target
        self.delay_s = delay_s
        self.turns = 0
        self._due: deque[tuple[float, Side, bytes | None]] = deque()  # all wait equally long

    def pass_on(self, side: "Side", data: bytes | None) -> None:
        """Have *data* written by *side*, once it is due."""
        loop = asyncio.get_running_loop()
        if not self.delay_s:
            side.write([data])
            return
        if not self._due:
            loop.call_later(self.delay_s, self._write_due)
        self._due.append((loop.time() + self.delay_s, side, data))

    def _write_due(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        arrived: dict[Side, list[bytes | None]] = {}
        while self._due and self._due[0][0] <= now:
            _, side, data = self._due.popleft()
            arrived.setdefault(side, []).append(data)
        for side, pieces in arrived.items():
            side.write(pieces)
        if self._due:
            loop.call_at(self._due[0][0], self._write_due)

    async def serve(self, pipe: Connection) -> None:
        raise_file_limit(65536)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Side(self, None), "127.0.0.1", 0, backlog=2000)
        pipe.send(server.sockets[0].getsockname()[1])
        stopped = asyncio.Event()

        def told() -> None:
            if pipe.recv() == "stop":
                stopped.set()
            else:
                pipe.send(self.turns)

        loop.add_reader(pipe.fileno(), told)
        await stopped.wait()
        server.close()


class Side(asyncio.Protocol):
    """One end of a relayed connection: the client's, or (with a peer) the server's."""

    def __init__(self, relay: Relay, peer: "Side | None") -> None:
        self._relay = relay
        self._peer = peer
        self._is_client = peer is None
        self._server_spoke = False
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._is_client:
            self._relay.turns += 1  # the greeting is what it waits for first
            self._task = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        await asyncio.sleep(2 * self._relay.delay_s)  # as TCP's handshake would
        await self._loop.create_connection(self._joined, *self._relay.target)

    def _joined(self) -> "Side":
        self._peer = Side(self._relay, self)
        return self._peer

    def data_received(self, data: bytes) -> None:
        client = self if self._is_client else self._peer
        assert client is not None
        self._relay.turns += self._is_client and client._server_spoke
        client._server_spoke = not self._is_client
        self._pass_on(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._pass_on(None)

    def _pass_on(self, data: bytes | None) -> None:
        if self._peer is not None:
            self._relay.pass_on(self._peer, data)

    def write(self, pieces: list[bytes | None]) -> None:
        """Write what has arrived; None closes."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(b"".join(piece for piece in pieces if piece is not None))
        if None in pieces:
            self._transport.close()


def server_cpu_s(home: Path) -> float:
    """Return what Dovecot's living processes have used so far, in seconds of CPU."""
    master = (home / "run" / "master.pid").read_text("ascii").strip()
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # one may end at any time
            fields = stat.read_text("ascii", "replace").rpartition(")")[2].split()
            if master in {fields[1], stat.parent.name}:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def raise_file_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


if __name__ == "__main__":
    main()
