"""Copies sent and read back per second, beside bare smtplib and bare imaplib.

The same number of messages to the same mailboxes of the same lab, in one run:

    python benchmarks/line.py            # 32 mailboxes, 50 tests
    python benchmarks/line.py --quick

*line* is the whole product: composing, job rows, two commits a copy, sightings. *edges* is
our transport and our reader alone. *bare* is smtplib with one kept connection a provider,
and imaplib: sign in, then EXAMINE and FETCH of all headers in each folder where a copy may be,
and the standard library's parser to know each copy by its Message-ID.
"""

import argparse
import imaplib
import random
import smtplib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import HeaderParser
from pathlib import Path

from sqlmodel import Session, select

from monitor.core.campaigns import Letter, Wanted
from monitor.core.placements import LADDER
from monitor.core.seeds import Account
from monitor.demo.cast import CAST
from monitor.demo.stage import SEED_LIST, START, Stage, set_up
from monitor.store import new_tests, seeds
from monitor.store.columns import saved
from monitor.store.tables import CampaignRow, HandoverRow, SeedRow, SightingRow

PASSWORDS: dict[str, str] = {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few messages: only that it runs")
    parser.add_argument("--rounds", type=int, default=5, help="medians are shown")
    args = parser.parse_args()
    if args.quick:
        args.rounds = 1
    tests = 4 if args.quick else 50
    print(f"{tests} tests x 32 seeds = {tests * 32} copies\n")
    print(f"{'':8}{'sent/s':>10}{'read back/s':>14}")
    runs = {"line": line, "edges": edges, "bare": bare}
    rounds = [{name: run(tests) for name, run in runs.items()} for _ in range(args.rounds)]
    rates = {
        name: tuple(statistics.median(one[name][i] for one in rounds) for i in (0, 1))
        for name in runs
    }
    for name, (sent, read) in rates.items():
        print(f"{name:8}{sent:>10.0f}{read:>14.0f}")
    for name in ("line", "edges"):
        ratios = [
            statistics.median(one["bare"][i] / one[name][i] for one in rounds) for i in (0, 1)
        ]
        print(f"\nbare / {name}: sending {ratios[0]:.2f}, reading {ratios[1]:.2f}", end="")
    print()


@contextmanager
def stage() -> Iterator[Stage]:
    """A fresh lab and a fresh database, without the cast's schedules."""
    with tempfile.TemporaryDirectory() as folder, set_up(Path(folder), scenario="quiet") as made:
        yield made


def timed(work: Callable[[], int]) -> float:
    """Run *work* and return what it counted, per second."""
    started = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - started)


def line(tests: int) -> tuple[float, float]:
    """The whole product: rows before and after every step."""
    with stage() as made, made.house.worker() as worker:
        with Session(made.house.engine) as session:
            campaigns = session.exec(select(CampaignRow)).all()
            seed_list = seeds.newest_list(session, 1, SEED_LIST)
            for number in range(tests):
                new_tests.create(
                    session,
                    campaigns[number % len(campaigns)],
                    seed_list_id=saved(seed_list.id),
                    idempotency_key=f"bench {number}",
                    send_at=START,
                    now=START,
                    rng=random.Random(number),
                )
            session.commit()

        def send() -> int:
            worker.drain()
            return rows(made, HandoverRow.copy_id)

        def read() -> int:
            made.clock.sleep(LADDER[0])
            worker.drain()
            return rows(made, SightingRow.copy_id)

        sent = timed(send)
        return sent, timed(read)


def rows(made: Stage, column: object) -> int:
    with Session(made.house.engine) as session:
        return len(set(session.exec(select(column)).all()))  # type: ignore[call-overload]


def addresses(made: Stage) -> dict[str, str]:
    """Address -> provider of every seed."""
    with Session(made.house.engine) as session:
        return {seed.address: seed.provider for seed in session.exec(select(SeedRow)).all()}


def letters(made: Stage, tests: int) -> list[Letter]:
    text = b"body\r\n" * 200
    return [
        Letter(
            message_id=f"<{number}.{address}>",
            mail_from=CAST[number % len(CAST)].mail_from,
            recipient=address,
            raw=b"From: hello@%s\r\nTo: %s\r\nSubject: number %d\r\nMessage-ID: <%d.%s>\r\n"
            b"X-Seedwatch-Test: bench%d\r\n\r\n%s"
            % (
                CAST[number % len(CAST)].domain.encode(),
                address.encode(),
                number,
                number,
                address.encode(),
                number,
                text,
            ),
        )
        for address in addresses(made)
        for number in range(tests)
    ]


def edges(tests: int) -> tuple[float, float]:
    """Our transport and our reader, without rows."""
    with stage() as made:
        mail = letters(made, tests)
        where = addresses(made)

        def send() -> int:
            outcomes = made.house.edges.transport.send(mail)
            return sum(outcome.outcome == "accepted" for outcome in outcomes)

        def read() -> int:
            found = 0
            for address, provider in where.items():
                box = made.house.edges.open_mailbox(
                    Account(
                        address,
                        provider,
                        made.lab.providers[provider].imap,
                        address,
                        password(made, address),
                    ),
                    made.house.facts[provider],
                )
                wanted = [
                    Wanted(letter.message_id, "", START)
                    for letter in mail
                    if letter.recipient == address
                ]
                found += len(box.look(wanted))
                box.close()
            return found

        return timed(send), timed(read)


def password(made: Stage, address: str) -> str:
    if not PASSWORDS:
        with Session(made.house.engine) as session:
            for seed in session.exec(select(SeedRow)).all():
                PASSWORDS[seed.address] = made.house.vault.open(f"seed:{seed.address}", seed.secret)
    return PASSWORDS[address]


def bare(tests: int) -> tuple[float, float]:
    """The standard library, with nothing around it."""
    with stage() as made:
        mail = letters(made, tests)
        where = addresses(made)

        def send() -> int:
            for provider in made.lab.providers:
                _send_bare(made, provider, [m for m in mail if where[m.recipient] == provider])
            return len(mail)

        def read() -> int:
            return sum(_read_bare(made, address, provider) for address, provider in where.items())

        PASSWORDS.clear()
        password(made, next(iter(where)))
        return timed(send), timed(read)


def _send_bare(made: Stage, provider: str, mail: list[Letter]) -> None:
    endpoint = made.lab.providers[provider].smtp
    with smtplib.SMTP(endpoint.host, endpoint.port) as connection:
        for letter in mail:
            connection.sendmail(letter.mail_from, [letter.recipient], letter.raw)


def _read_bare(made: Stage, address: str, provider: str) -> int:
    endpoint = made.lab.providers[provider].imap
    connection = imaplib.IMAP4(endpoint.host, endpoint.port)
    connection.login(address, password(made, address))
    found: set[str] = set()
    folders = ["INBOX", *made.house.facts[provider].folders]
    for folder in folders[:3]:
        state, _ = connection.select(f'"{folder}"', readonly=True)
        if state != "OK":
            continue
        _, data = connection.uid("FETCH", "1:*", "(INTERNALDATE BODY.PEEK[HEADER])")
        for part in data:
            if isinstance(part, tuple):
                found.add(HeaderParser().parsestr(part[1].decode("latin-1"))["Message-ID"])
    connection.logout()
    return len(found)


if __name__ == "__main__":
    main()
