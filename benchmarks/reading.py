"""Round trips and seconds to find one copy in each of 200 mailboxes, beside bare imaplib.

The lab runs in a process of its own. Each mailbox holds 500 messages of other people and
one copy of ours, in the inbox or in the spam folder. A relay between client and server
counts round trips as they stand on the wire, and can hold each byte back by half a round
trip's time:

    python benchmarks/reading.py             # without delay, then with 20 ms a round trip
    python benchmarks/reading.py --quick     # few mailboxes: only that it runs

*bare* signs in, opens inbox and spam folder, searches each for the Message-ID and fetches
the headers; its later visit does the same on the kept connection.
"""

import argparse
import asyncio
import imaplib
import multiprocessing
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from monitor.core.campaigns import Wanted
from monitor.core.clock import ManualClock
from monitor.core.providers import parse_provider
from monitor.core.seeds import Account, Endpoint, ProviderFacts, Security
from monitor.lab.lab import Lab
from monitor.lab.scenario import Scenario
from monitor.mailboxes.imap import ImapMailbox
from monitor.rendering import data_dir

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
THREADS = 8
SPAM = {"gmail": "[Gmail]/Spam", "yahoo": "Bulk", "icloud": "Junk", "microsoft365": "Junk Email"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mailboxes", type=int, default=200)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="8 mailboxes of 50 messages")
    args = parser.parse_args()
    count, messages = (8, 50) if args.quick else (args.mailboxes, args.messages)
    print(f"{count} mailboxes of {messages} messages, {THREADS} threads\n")
    print(f"{'':16}{'round trips a mailbox':>26}{'seconds':>20}")
    print(f"{'':16}{'first':>13}{'later':>13}{'first':>10}{'later':>10}")
    with running_lab(count, messages) as endpoints:
        for rtt_ms in (0, 20):
            for name, visit in (("seedwatch", Ours()), ("bare imaplib", Bare())):
                row = measure(visit, endpoints, count, rtt_ms)
                print(f"{name:13}{rtt_ms:>3}" + row)
    print("\nround trips: median (most). The number after the name is ms a round trip.")


def measure(visit: "Ours | Bare", endpoints: dict[str, Endpoint], count: int, rtt_ms: int) -> str:
    """Visit all mailboxes twice, and return a row of the table."""
    with Relay(endpoints, rtt_ms / 1000) as relay:
        trips: list[list[int]] = []
        seconds: list[float] = []
        for _ in range(2):
            relay.trips.clear()
            started = time.perf_counter()
            with ThreadPoolExecutor(THREADS) as pool:
                found = list(pool.map(lambda n: visit(n, relay.endpoint(n)), range(count)))
            seconds.append(time.perf_counter() - started)
            assert found == [1] * count, "a copy was not found"
            trips.append([relay.trips[n] for n in range(count)])
        visit.close()
    cells = "".join(f"{f'{statistics.median(t):g} ({max(t)})':>13}" for t in trips)
    return cells + "".join(f"{s:>10.2f}" for s in seconds)


def provider_of(number: int) -> str:
    return list(SPAM)[number % len(SPAM)]


def address_of(number: int) -> str:
    domain = {"microsoft365": "m365"}.get(provider_of(number), provider_of(number))
    return f"seed{number}@{domain}.lab.example"


class Ours:
    """Our reader."""

    def __init__(self) -> None:
        self._facts: dict[str, ProviderFacts] = {}
        for name in SPAM:
            text = (data_dir("seedlists") / "providers" / f"{name}.toml").read_text("utf-8")
            self._facts[name] = parse_provider(text, name=name)
        self._open: dict[int, ImapMailbox] = {}

    def __call__(self, number: int, endpoint: Endpoint) -> int:
        is_first = number not in self._open
        if is_first:
            name, address = provider_of(number), address_of(number)
            account = Account(address, name, endpoint, address, "pw")
            self._open[number] = ImapMailbox(account, self._facts[name], timeout_s=30)
        wanted = Wanted(f"<{number}@brand.example>", f"t{number}", NOW, was_found=not is_first)
        return len(self._open[number].look([wanted]))

    def close(self) -> None:
        for mailbox in self._open.values():
            mailbox.close()
        self._open.clear()


class Bare:
    """imaplib, as one would write it."""

    def __init__(self) -> None:
        self._open: dict[int, imaplib.IMAP4] = {}

    def __call__(self, number: int, endpoint: Endpoint) -> int:
        if number not in self._open:
            self._open[number] = imaplib.IMAP4(endpoint.host, endpoint.port)
            self._open[number].login(address_of(number), "pw")
        imap, found = self._open[number], 0
        for folder in ("INBOX", SPAM[provider_of(number)]):
            imap.select(f'"{folder}"', readonly=True)
            uids = imap.uid("SEARCH", "HEADER", "MESSAGE-ID", f"<{number}@brand.example>")[1][0]
            if uids:
                imap.uid("FETCH", uids.decode(), "(BODY.PEEK[HEADER])")
                found += 1
        return found

    def close(self) -> None:
        for imap in self._open.values():
            imap.logout()
        self._open.clear()


@contextmanager
def running_lab(count: int, messages: int) -> Iterator[dict[str, Endpoint]]:
    """Run a lab with its mailboxes in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, count, messages))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join(30)


def serve(pipe: Connection, count: int, messages: int) -> None:
    with Lab(Scenario.bundled("quiet"), clock=ManualClock(NOW), seed=1) as lab:
        for number in range(count):
            address = address_of(number)
            lab.add_mailbox(address, "pw")
            lab.fill(address, messages)
            copy = f"Message-ID: <{number}@brand.example>\nX-Seedwatch-Test: t{number}\n\nhello\n"
            folder = "INBOX" if number % 5 else SPAM[provider_of(number)]
            lab.add_message(address, folder, copy.encode())
        pipe.send({name: lab.providers[name].imap for name in SPAM})
        pipe.recv()


class Relay:
    """Passes bytes on, half a round trip later, and counts how often the client takes its turn."""

    def __init__(self, endpoints: dict[str, Endpoint], delay_s: float) -> None:
        self._targets = endpoints
        self._delay_s = delay_s
        self._ports: dict[int, int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.trips: dict[int, int] = {}

    def __enter__(self) -> "Relay":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        """Let what is under way arrive, then end all connections."""
        await asyncio.sleep(self._delay_s + 0.1)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def endpoint(self, number: int) -> Endpoint:
        """Where to reach the server of mailbox *number* through this relay."""
        if number not in self._ports:
            starting = asyncio.run_coroutine_threadsafe(self._listen(number), self._loop)
            self._ports[number] = starting.result(10)
        return Endpoint("127.0.0.1", self._ports[number], Security.PLAIN)

    async def _listen(self, number: int) -> int:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            target = self._targets[provider_of(number)]
            back_reader, back_writer = await asyncio.open_connection(target.host, target.port)
            turn = {"client": True}  # the greeting is the first answer that is waited for
            self.trips[number] = self.trips.get(number, 0) + 1
            with suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(
                    self._pump(reader, back_writer, lambda: self._client_spoke(number, turn)),
                    self._pump(back_reader, writer, lambda: turn.update(client=False)),
                )

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        host_and_port = server.sockets[0].getsockname()
        return int(host_and_port[1])

    def _client_spoke(self, number: int, turn: dict[str, bool]) -> None:
        if not turn["client"]:
            self.trips[number] = self.trips.get(number, 0) + 1
        turn["client"] = True

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        note: Callable[[], object],
    ) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := await reader.read(65536):
            note()
            if self._delay_s:
                self._loop.call_later(self._delay_s / 2, writer.write, data)
            else:
                writer.write(data)
        self._loop.call_later(self._delay_s / 2 + 0.01, writer.close)


if __name__ == "__main__":
    main()
