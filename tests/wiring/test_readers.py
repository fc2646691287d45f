"""What the configuration says of readers reaches them: tokens, drops, web hooks."""

import base64
import json
import random
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.fernet import Fernet
from sqlmodel import Session, select

from monitor.core.campaigns import Wanted
from monitor.core.clock import ManualClock
from monitor.core.errors import BadInputError, MailboxBusyError, MailboxLockedError
from monitor.core.seeds import Account, Security, SeedEntry
from monitor.settings.sections import Settings
from monitor.store import seeds
from monitor.store.columns import saved
from monitor.store.engine import open_engine, upgrade
from monitor.store.tables import OrganisationRow, SeedRow
from monitor.wiring import House, build
from monitor.wiring.readers import Rows, reader_parts
from monitor.wiring.tokens import OAuthClients, SeedTokens

KEY = "k3y-of-the-hook"
ANNA = "anna@brand.example"
RAW = b"Message-ID: <1@news.example>\r\nSubject: March\r\n\r\nHello\r\n"


class SignIn:
    """A provider's token endpoint: each refresh token is good once, and brings the next one."""

    def __init__(self) -> None:
        sign_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                status, told = sign_in.answer(parse_qs(self.rfile.read(size).decode()))
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.good = "refresh-1"
        self.asked: list[str] = []
        self.meanwhile: list[Callable[[], object]] = []  # done before the next answer
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def answer(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        (given,) = form["refresh_token"]
        if self.meanwhile:
            self.meanwhile.pop()()
        self.asked.append(given)
        if given != self.good:
            return 400, {"error": "invalid_grant"}
        number = int(given.rpartition("-")[2])
        self.good = f"refresh-{number + 1}"
        return 200, {
            "access_token": f"access-{number}",
            "expires_in": 3600,
            "token_type": "Bearer",
            "refresh_token": self.good,
        }

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def sign_in() -> Iterator[SignIn]:
    made = SignIn()
    yield made
    made.stop()


class TokenImap:
    """An empty mailbox that opens to the access token "access-1" and to nothing else."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.offered: list[str] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, connection.makefile("rwb", buffering=0) as stream:
                    stream.write(b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] hello\r\n")
                    for line in stream:
                        stream.write(self._answer(line))

    def _answer(self, line: bytes) -> bytes:
        tag, _, command = line.strip().partition(b" ")
        if not command.startswith(b"AUTHENTICATE XOAUTH2 "):
            return tag + b" OK done\r\n"
        self.offered.append(base64.b64decode(command.split()[-1]).decode())
        is_good = self.offered[-1] == f"user={ANNA}\x01auth=Bearer access-1\x01\x01"
        return tag + (b" OK in\r\n" if is_good else b" NO [AUTHENTICATIONFAILED] no\r\n")

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


Furnish = Callable[..., House]


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("blank") / "blank.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture
def furnish(blank: Path, tmp_path: Path, clock: ManualClock) -> Iterator[Furnish]:
    """Return a house with one seed, and everything that readers may need configured."""
    houses: list[House] = []

    def made(entry: SeedEntry, **sections: object) -> House:
        settings = Settings.model_validate(
            {
                "database": {"url": f"sqlite:///{tmp_path / 'seedwatch.db'}"},
                "secrets": {"key": [Fernet.generate_key().decode()]},
                "inbound": {"key": KEY},
                "drops": {"here": {"path": tmp_path / "mail", "form": "eml"}},
                "reading": {"timeout_s": 5},
                **sections,
            }
        )
        shutil.copy(blank, tmp_path / "seedwatch.db")
        house = build(settings, clock=clock, rng=random.Random(1))
        houses.append(house)
        with Session(house.engine) as session:
            owner = OrganisationRow(name="Acme")
            session.add(owner)
            session.flush()
            seeds.import_list(
                session,
                [entry],
                organisation_id=saved(owner.id),
                name="default",
                vault=house.vault,
                now=clock.now(),
            )
            session.commit()
        return house

    yield made
    for house in houses:
        house.close()


def seed_of(house: House) -> SeedRow:
    with Session(house.engine) as session:
        seed = session.exec(select(SeedRow)).one()
        session.expunge(seed)
        return seed


def wanted(clock: ManualClock) -> list[Wanted]:
    return [Wanted("<1@news.example>", "", clock.now() - timedelta(minutes=1))]


def test_what_a_web_hook_told_is_found_by_the_reader(furnish: Furnish, clock: ManualClock) -> None:
    house = furnish(SeedEntry(ANNA, "corporate", reader="inbound"))
    mailbox = house.mailboxes.get(seed_of(house))
    with pytest.raises(MailboxBusyError, match="has told nothing"):
        mailbox.look(wanted(clock))
    answer = (
        house.app()
        .test_client()
        .post(f"/inbound/{KEY}?address={ANNA}&folder=Junk", data=RAW, content_type="message/rfc822")
    )
    assert answer.status_code == 200
    (found,) = mailbox.look(wanted(clock))
    assert (found.folder, found.received_at) == ("Junk", clock.now())
    assert mailbox.read("<1@news.example>", limit=10) == RAW[:10]
    clock.sleep(timedelta(hours=23))
    assert mailbox.look([Wanted("<2@news.example>", "", clock.now())]) == []
    clock.sleep(timedelta(hours=2))
    with pytest.raises(MailboxBusyError, match="has told nothing"):
        mailbox.look([Wanted("<2@news.example>", "", clock.now())])


def test_a_drop_is_found_by_its_name(furnish: Furnish, clock: ManualClock, tmp_path: Path) -> None:
    house = furnish(SeedEntry(ANNA, "corporate", reader="drop", drop="here"))
    (tmp_path / "mail" / ANNA / "Spam").mkdir(parents=True)
    (tmp_path / "mail" / ANNA / "Spam" / "1.eml").write_bytes(RAW)
    (found,) = house.mailboxes.get(seed_of(house)).look(wanted(clock))
    assert found.folder == "Spam"


def by_oauth(furnish: Furnish, sign_in: SignIn, **server: Any) -> House:
    app = {"kind": "custom", "client_id": "c", "token_url": sign_in.url, "scopes": ["mail"]}
    return furnish(
        SeedEntry(ANNA, "microsoft365", password="refresh-1", oauth="app", **server),
        oauth={"app": app},
    )


def tokens(house: House) -> SeedTokens:
    return SeedTokens(OAuthClients(house.settings), house.engine, house.vault)


def kept(house: House) -> str:
    return house.vault.open(f"seed:{ANNA}", seed_of(house).secret)


def account(house: House) -> Account:
    return seeds.account(seed_of(house), None, house.vault)


def test_a_changed_refresh_token_is_sealed_into_the_seeds_row(
    furnish: Furnish, sign_in: SignIn
) -> None:
    house = by_oauth(furnish, sign_in)
    assert tokens(house)(account(house)).token() == "access-1"
    assert kept(house) == "refresh-2"
    assert b"refresh" not in seed_of(house).secret
    assert tokens(house)(account(house)).token() == "access-2"  # after a restart


def test_a_changed_refresh_token_keeps_the_connection(furnish: Furnish, sign_in: SignIn) -> None:
    house = by_oauth(furnish, sign_in)
    first = house.mailboxes.get(seed_of(house))
    source = tokens(house)
    source(account(house)).token()
    assert house.mailboxes.get(seed_of(house)) is first
    assert source(account(house)) is source(account(house))


def test_a_mailbox_is_signed_in_to_by_an_access_token(furnish: Furnish, sign_in: SignIn) -> None:
    server = TokenImap()
    house = by_oauth(furnish, sign_in, host="127.0.0.1", port=server.port, security=Security.PLAIN)
    mailbox = house.mailboxes.get(seed_of(house))
    assert mailbox.look([]) == []
    mailbox.close()
    server.stop()
    assert len(server.offered) == 1
    assert kept(house) == "refresh-2"


def test_a_grant_that_another_process_renewed_is_taken_up(
    furnish: Furnish, sign_in: SignIn
) -> None:
    house = by_oauth(furnish, sign_in)
    ours, theirs = tokens(house)(account(house)), tokens(house)(account(house))
    assert theirs.token() == "access-1"
    assert ours.token() == "access-2"
    # Offering one that was used already would make some providers withdraw the whole grant.
    assert sign_in.asked == ["refresh-1", "refresh-2"]


def test_a_grant_that_another_process_renews_at_the_same_time_is_taken_up(
    furnish: Furnish, sign_in: SignIn
) -> None:
    house = by_oauth(furnish, sign_in)
    ours, theirs = tokens(house)(account(house)), tokens(house)(account(house))
    sign_in.meanwhile = [theirs.token]
    assert ours.token() == "access-2"
    assert (theirs.token(), kept(house)) == ("access-1", "refresh-3")


def test_a_grant_that_was_withdrawn_needs_a_person(furnish: Furnish, sign_in: SignIn) -> None:
    house = by_oauth(furnish, sign_in)
    sign_in.good = "another"
    with pytest.raises(MailboxLockedError) as caught:
        tokens(house)(account(house)).token()
    assert "seedwatch seeds authorize" in caught.value.remedy


def test_an_application_that_is_not_configured_is_named(furnish: Furnish, sign_in: SignIn) -> None:
    house = by_oauth(furnish, sign_in)
    with pytest.raises(BadInputError, match="'ap' is not configured"):
        OAuthClients(house.settings).of("ap", "imap")


def test_without_rows_there_are_no_tokens_and_no_reports(
    furnish: Furnish, clock: ManualClock
) -> None:
    house = furnish(SeedEntry(ANNA, "corporate"))
    bare = reader_parts(house.settings, clock, None)
    assert (bare.tokens, bare.reports) == (None, None)
    assert reader_parts(house.settings, clock, Rows(house.engine, house.vault)).tokens is not None
    assert KEY not in repr(house.settings)
