"""Messages a second to Postfix's smtp-sink, beside smtplib and Postfix's own smtp-source.

    python benchmarks/sending.py             # 10,000 copies, without delay and with 50 ms
    python benchmarks/sending.py --quick     # few copies: only that it runs

smtp-sink offers PIPELINING but not CHUNKING, so one connection carries one message a round
trip at best. With delay the slow ways are given fewer copies; the rate is what counts. The
last row sends to a small sink of our own that offers CHUNKING, as Postfix does since 3.4; it
is slower than smtp-sink, so that without delay its row says more about the sink than about us.

Needs smtp-sink and smtp-source (Debian's package postfix). Servers and the relay that adds
the delay run in processes of their own.
"""

import argparse
import asyncio
import getpass
import multiprocessing
import shutil
import smtplib
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from monitor.core.campaigns import Letter, Outcome
from monitor.core.seeds import Endpoint, Security
from monitor.senders.routes import smarthost
from monitor.senders.smtp import SmtpTransport

BODY = ("x" * 70 + "\r\n") * 40
RTT_S = 0.05
Way = Callable[[int, int], None]  # port, number of copies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3, help="without delay; the median counts")
    parser.add_argument("--quick", action="store_true", help="500 copies, one round")
    args = parser.parse_args()
    copies, rounds = (500, 1) if args.quick else (args.copies, args.rounds)
    share = 0.1 if args.quick else 1.0
    print(f"{copies} copies of 3 kB, messages a second, 8 connections unless said\n")
    print(f"{'':44}{'0 ms':>10}{'50 ms':>10}")
    rates: dict[str, tuple[float, float]] = {}
    with smtp_sink() as sink, in_process(serve_chunking) as chunking:
        for name, way, delayed_copies in WAYS:
            port = chunking if name is CHUNKING else sink
            near = sorted(measure(way, port, copies) for _ in range(rounds))[rounds // 2]
            with in_process(relay, port) as far:
                rates[name] = near, measure(way, far, max(8, int(delayed_copies * share)))
            print(f"{name:44}{rates[name][0]:>10,.0f}{rates[name][1]:>10,.0f}", flush=True)
    of_source = rates[OURS][0] / rates[SOURCE][0]
    print(f"\n{OURS}, without delay: {of_source:.2f} of {SOURCE} (goal: 0.5)")
    for name in (OURS, MANY, CHUNKING):
        times = rates[name][1] / rates[KEPT][1]
        print(f"{name}, at 50 ms: {times:.1f} times {KEPT} (goal: 10)")


def measure(way: Way, port: int, copies: int) -> float:
    started = time.perf_counter()
    way(port, copies)
    return copies / (time.perf_counter() - started)


def letters(count: int) -> list[Letter]:
    return [
        Letter(f"<{n}@brand.example>", "news@brand.example", f"seed{n}@b.example", raw(n))
        for n in range(count)
    ]


def raw(number: int) -> bytes:
    head = f"From: news@brand.example\r\nTo: seed{number}@b.example\r\nSubject: t\r\n"
    return f"{head}Message-ID: <{number}@brand.example>\r\n\r\n{BODY}".encode()


def ours(window: int, connections: int) -> Way:
    def way(port: int, copies: int) -> None:
        route = smarthost(Endpoint("127.0.0.1", port, Security.PLAIN))
        transport = SmtpTransport(route, hostname="monitor.example", timeout_s=30)
        transport.at_once(window=window, connections=connections)
        handovers = list(transport.send_many(letters(copies), window=window))
        assert [h.outcome for h in handovers] == [Outcome.ACCEPTED] * copies

    return way


def one_connection_a_message(port: int, copies: int) -> None:
    def send(number: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="x") as smtp:
            smtp.sendmail("news@brand.example", [f"seed{number}@b.example"], raw(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(copies)))


def kept_connections(port: int, copies: int) -> None:
    def send(numbers: range) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="x") as smtp:
            for number in numbers:
                smtp.sendmail("news@brand.example", [f"seed{number}@b.example"], raw(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, [range(first, copies, 8) for first in range(8)]))


def smtp_source(*options: str) -> Way:
    def way(port: int, copies: int) -> None:
        addresses = ["-f", "news@brand.example", "-t", "seed@b.example"]
        size = ["-s", "8", "-m", str(copies), "-l", str(len(raw(1)))]
        command = [program("smtp-source"), *options, *size, *addresses, f"127.0.0.1:{port}"]
        subprocess.run(command, check=True, timeout=300)

    return way


KEPT = "smtplib, kept connections"
SOURCE = "smtp-source, kept connections"
OURS = "seedwatch, windows of 200"
MANY = "seedwatch, windows of 200, 32 connections"
CHUNKING = "seedwatch, windows of 200, CHUNKING"
WAYS: list[tuple[str, Way, int]] = [  # the number: copies with delay
    ("smtplib, a connection a message", one_connection_a_message, 160),
    (KEPT, kept_connections, 320),
    ("smtp-source, a connection a message", smtp_source(), 160),
    (SOURCE, smtp_source("-d"), 320),
    ("seedwatch, one at a time, 1 connection", ours(1, 1), 60),
    (OURS, ours(200, 8), 1600),
    (MANY, ours(200, 32), 4000),
    (CHUNKING, ours(200, 8), 10_000),
]


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert found, f"{name} is missing: install Debian's package postfix"
    return found


@contextmanager
def smtp_sink() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [program("smtp-sink"), "-u", "nobody"] if getpass.getuser() == "root" else []
    command = [*(command or [program("smtp-sink")]), f"127.0.0.1:{port}", "500"]
    with subprocess.Popen(command) as process:
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()


def wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on {port}")


@contextmanager
def in_process(serve: Callable[..., None], *args: int) -> Iterator[int]:
    """Run *serve* in a process of its own, which tells its port."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, *args))
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def serve_chunking(pipe: Connection) -> None:
    asyncio.run(listen(pipe, ChunkingSink))


def relay(pipe: Connection, port: int) -> None:
    asyncio.run(listen(pipe, lambda: Relay(port)))


async def listen(pipe: Connection, protocol: Callable[[], asyncio.Protocol]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=500)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class ChunkingSink(asyncio.Protocol):
    """Takes everything, by BDAT only."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""
        self._chunk = 0
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        replies = []
        while True:
            if self._chunk:
                taken = self._buffer[: self._chunk]
                self._buffer = self._buffer[len(taken) :]
                self._chunk -= len(taken)
                if self._chunk:
                    break
                replies.append(b"250 2.0.0 Ok: queued\r\n")
            line, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                break
            self._buffer = rest
            if line.startswith(b"BDAT "):
                self._chunk = int(line.split(b" ")[1])
                continue
            is_hello = line[:4].lower() == b"ehlo"
            hello = b"250-sink\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
            replies.append(hello if is_hello else b"250 2.1.0 Ok\r\n")
        self._transport.write(b"".join(replies))


class Relay(asyncio.Protocol):
    """Passes bytes on, half a round trip later; so connecting costs no round trip."""

    def __init__(self, port: int, peer: "Relay | None" = None) -> None:
        self._port = port
        self._peer = peer
        self._early: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._peer is None:
            self._opening = asyncio.ensure_future(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        _, peer = await loop.create_connection(lambda: Relay(0, self), "127.0.0.1", self._port)
        self._peer = peer
        while self._early:
            self._pass_on(self._early.popleft())

    def data_received(self, data: bytes) -> None:
        if self._peer is None:
            self._early.append(data)
        else:
            self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        assert self._peer is not None
        asyncio.get_running_loop().call_later(RTT_S / 2, self._peer.transport.write, data)

    def connection_lost(self, _: Exception | None) -> None:
        if self._peer is not None:
            asyncio.get_running_loop().call_later(RTT_S / 2 + 0.01, self._peer.transport.close)


if __name__ == "__main__":
    main()
