"""`seedwatch doctor`: whatever is wrong is a finding with its remedy, and the rest goes on."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from monitor.core.clock import SystemClock
from monitor.core.errors import MailboxLockedError
from monitor.core.incidents import Cause, State
from monitor.lab.lab import Lab
from monitor.store import seed_health
from monitor.store.route_tables import RouteRow
from monitor.store.secrets import new_key
from monitor.store.seed_health import Attempt
from monitor.store.tables import OrganisationRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow
from monitor.store.work_tables import JobRow, JobState
from tests.cli.typed import listed, run, setting

Findings = dict[str, dict[str, Any]]


def examined(config: str) -> Findings:
    """What the doctor found, by what it looked at."""
    shown = run("doctor", "--config", config, "--json")
    found = {one["about"]: one for one in json.loads(shown.stdout)}
    assert shown.exit_code == (0 if all(one["ok"] for one in found.values()) else 1)
    return found


def wrongs(config: str) -> set[str]:
    return {about for about, one in examined(config).items() if not one["ok"]}


class MailServer:
    """Greets every caller with *greeting*, and answers nothing else."""

    def __init__(self, greeting: bytes) -> None:
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.sendall(self._greeting)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def greet() -> Iterator[Callable[[bytes], int]]:
    """Start a server with a greeting; returns its port."""
    started: list[MailServer] = []

    def start(greeting: bytes) -> int:
        started.append(MailServer(greeting))
        return started[-1].port

    yield start
    for server in started:
        server.close()


@pytest.fixture
def shut() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        yield silent.getsockname()[1]


def server_at(config: str, section: str, port: int) -> None:
    for line in ('host = "127.0.0.1"', f"port = {port}", 'security = "plain"'):
        setting(config, section, line)


def test_a_fresh_installation_is_in_need_of_seeds(config: str) -> None:
    found = examined(config)
    assert found["database"]["ok"]
    assert not found["seeds"]["ok"]
    assert "seeds import" in found["seeds"]["remedy"]


def test_a_configuration_that_others_can_read_is_found(config: str) -> None:
    Path(config).chmod(0o644)
    assert "chmod 600" in examined(config)["secret key"]["remedy"]


@pytest.mark.parametrize(
    ("section", "line", "about", "says"),
    [
        ("secrets", "key = []", "mailbox passwords", "secrets.key: '(hidden)' is missing"),
        ("database", 'url = "mysql://u:hunter2@h/x"', "database", "not a database that"),
        ("database", 'url = "sqlite:///no/x.db"', "database", "directory that does not exist"),
        ("database", 'url = "sqlite:///x.db"', "database", "does not exist"),
        ("data", 'seedlists_dir = "no"', "configuration", "data.seedlists_dir"),
        ("worker", 'queue = "sqlite:no/q.db"', "queue", "there is no"),
        ("worker", 'queue = "carrier pigeon"', "queue", "not a queue that we know"),
        ("sending", 'ca_file = "no.pem"', "mail server", "holds no certificate"),
    ],
)
def test_what_cannot_be_looked_at_is_a_finding_too(
    config: str, section: str, line: str, about: str, says: str
) -> None:
    setting(config, section, line)
    found = examined(config)[about]
    assert not found["ok"]
    assert says in found["says"]
    assert found["remedy"]
    assert "hunter2" not in str(found)


def test_after_a_trouble_the_other_looks_go_on(config: str) -> None:
    setting(config, "secrets", "key = []")
    setting(config, "database", 'url = "sqlite:///no/x.db"')
    assert {"disk", "templates", "database", "queue", "mail server"} <= set(examined(config))


def test_a_mail_server_that_lets_us_in_is_fine(config: str, lab: Lab) -> None:
    server_at(config, "sending", lab.providers["gmail"].smtp.port)
    assert examined(config)["mail server"]["ok"]


def test_a_mail_server_that_is_down_is_named_with_its_section(config: str, shut: int) -> None:
    server_at(config, "sending", shut)
    found = examined(config)["mail server"]
    assert f"127.0.0.1:{shut} cannot be used" in found["says"]
    assert "[sending]" in found["remedy"]


@pytest.mark.parametrize(
    ("greeting", "says"),
    [
        (b"554 5.7.1 not for you\r\n", "554 5.7.1 not for you"),
        (b"HTTP/1.1 400 Bad Request\r\n", "not SMTP"),
        (b"", "closed the connection"),
    ],
)
def test_a_mail_server_that_does_not_let_us_in_is_told_in_its_own_words(
    config: str, greet: Callable[[bytes], int], greeting: bytes, says: str
) -> None:
    server_at(config, "sending", greet(greeting))
    assert says in examined(config)["mail server"]["says"]


def test_the_mail_server_of_alerts_is_looked_at_if_it_is_another(
    config: str, lab: Lab, shut: int
) -> None:
    server_at(config, "sending", lab.providers["gmail"].smtp.port)
    assert "mail server of alerts" not in examined(config)
    server_at(config, "alerts", shut)
    found = examined(config)["mail server of alerts"]
    assert not found["ok"]
    assert "[alerts]" in found["remedy"]


def test_an_address_that_nobody_can_answer_is_doubtful_but_not_wrong(config: str) -> None:
    found = examined(config)["alerts come from"]
    assert found["ok"]
    assert "from_address" in found["remedy"]
    assert "[??] alerts come from" in run("doctor", "--config", config).output
    setting(config, "alerts", 'from_address = "alerts@example.org"')
    assert examined(config)["alerts come from"]["remedy"] == ""


def test_a_queue_server_that_is_down_is_named_without_its_password(config: str, shut: int) -> None:
    setting(config, "worker", f'queue = "redis://:hunter2@127.0.0.1:{shut}/0"')
    found = examined(config)["queue"]
    assert f"redis at 127.0.0.1:{shut} cannot be reached" in found["says"]
    assert "hunter2" not in str(found)


def test_a_queue_server_that_listens_can_be_reached(
    config: str, greet: Callable[[bytes], int]
) -> None:
    setting(config, "worker", f'queue = "redis://127.0.0.1:{greet(b"")}/0"')
    assert examined(config)["queue"]["ok"]


@pytest.mark.parametrize("secret", ["right", "wrong"])
def test_every_tenant_is_signed_in_to(config: str, lab: Lab, secret: str) -> None:
    right = lab.graph_client_secret
    lines = {
        "tenant": lab.graph_tenant,
        "client_id": lab.graph_client_id,
        "client_secret": right if secret == "right" else "hunter2",
        "base_url": lab.api_url,
        "login_url": lab.api_url,
    }
    with Path(config).open("a", encoding="utf-8") as file:
        file.write("\n[tenants.acme]\n" + "".join(f'{k} = "{v}"\n' for k, v in lines.items()))
    found = examined(config)["tenant acme"]
    assert found["ok"] is (secret == "right")
    assert "hunter2" not in str(found)


def given_up(session: Session, age: timedelta) -> int:
    """A job that was given up so long ago."""
    then = SystemClock().now() - age
    job = JobRow(
        kind="send",
        args={"test": 7, "provider": "gmail"},
        unique_key=f"send:{age}",
        wanted_at=then,
        due_at=then,
        state=JobState.DEAD,
        last_error="the server \x1b[2J refuses us",
        done_at=then,
    )
    session.add(job)
    session.commit()
    assert job.id is not None
    return job.id


def test_what_was_given_up_lately_can_be_mended_and_tried_again(
    config: str, session: Session
) -> None:
    job = given_up(session, timedelta(hours=1))
    found = examined(config)["work given up"]
    assert not found["ok"]
    assert "seedwatch jobs revive" in found["remedy"]
    assert run("jobs", "revive", str(job), "--config", config).exit_code == 0
    assert examined(config)["work given up"]["ok"]


def test_what_was_given_up_long_ago_is_history(config: str, session: Session) -> None:
    given_up(session, timedelta(days=8))
    assert examined(config)["work given up"]["ok"]


@pytest.mark.parametrize(("age", "ok"), [(timedelta(days=1), False), (timedelta(days=8), True)])
def test_alerts_that_were_not_delivered_count_for_seven_days(
    config: str, session: Session, age: timedelta, ok: bool
) -> None:
    then = SystemClock().now() - age
    session.add(OrganisationRow(id=1, name="Default"))
    session.flush()
    session.add(RouteRow(id=1, organisation_id=1, address="me@example.org"))
    session.add(
        IncidentEventRow(
            id=1, incident="i", seq=1, at=then, state=State.CONFIRMED, cause=Cause.PROVIDER,
            sentence="s",
        )
    )  # fmt: skip
    session.flush()
    session.add(
        AlertRow(
            incident="i", topic="t", state=State.CONFIRMED, cause=Cause.PROVIDER, event_id=1,
            route_id=1,
            message_id="<a@b.example>", created_at=then, due_at=then, dead_at=then,
            error="no such user",
        )
    )  # fmt: skip
    session.commit()
    found = examined(config)["alerts"]
    assert found["ok"] is ok
    assert ("no such user" in found["says"]) is not ok


def test_routes_that_are_told_nothing_are_named(config: str, session: Session) -> None:
    session.add(OrganisationRow(id=1, name="Default"))
    session.flush()
    now = SystemClock().now()
    session.add(RouteRow(id=1, organisation_id=1, address="new@example.org"))
    gone = RouteRow(id=2, organisation_id=1, address="gone@example.org", confirmed_at=now)
    gone.suspended_at, gone.suspended_why = now, "no such user"
    session.add(gone)
    session.commit()
    found = examined(config)
    assert (found["route 1"]["ok"], found["route 2"]["ok"]) == (True, False)
    assert "seedwatch routes confirm 1" in found["route 1"]["remedy"]
    assert found["route 2"]["says"] == "suspended: no such user"


def test_links_in_mail_that_lead_to_this_machine_only_are_named(
    config: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "links in alerts" not in examined(config)  # nobody is told by mail
    session.add(OrganisationRow(id=1, name="Default"))
    session.flush()
    session.add(RouteRow(id=1, organisation_id=1, address="team@example.org"))
    session.commit()
    assert "[web] base_url" in examined(config)["links in alerts"]["remedy"]
    monkeypatch.setenv("SEEDWATCH_WEB__BASE_URL", "https://watch.example.org")
    assert "links in alerts" not in examined(config)


def test_jobs_that_were_given_up_are_listed_with_the_reason(config: str, session: Session) -> None:
    job = given_up(session, timedelta(days=30))
    shown = run("jobs", "list", "--config", config).output
    assert "test 7, provider gmail" in shown
    assert "the server  [2J refuses us" in shown
    (told,) = listed(config, "jobs", "list")
    assert (told["id"], told["why"]) == (job, "the server \x1b[2J refuses us")


def test_all_that_was_given_up_is_tried_again_but_not_twice(config: str, session: Session) -> None:
    for days in (1, 9):
        given_up(session, timedelta(days=days))
    session.add(
        JobRow(kind="send", args={}, unique_key=f"send:{timedelta(days=9)}",
               wanted_at=SystemClock().now(), due_at=SystemClock().now())
    )  # fmt: skip
    session.commit()
    shown = run("jobs", "revive", "--all", "--config", config)
    assert shown.exit_code == 0
    assert "1 of 2 jobs are due now" in shown.output
    assert "No job was given up." in run("jobs", "list", "--config", config).output


@pytest.mark.parametrize(("args", "status"), [((), 2), (("1", "--all"), 2), (("77",), 1)])
def test_what_to_try_again_must_be_named(config: str, args: tuple[str, ...], status: int) -> None:
    assert run("jobs", "revive", *args, "--config", config).exit_code == status


def test_a_seed_that_cannot_be_read_is_told_with_since_when_why_and_what_to_do(
    seeded: str, session: Session
) -> None:
    now = SystemClock().now()
    error = MailboxLockedError("sign-in refused.", remedy="Make a new app password.")
    for hours in (3, 1):
        attempt = Attempt(1, now - timedelta(hours=hours), 0.1, error)
        seed_health.record(session, attempt)
    session.commit()
    found = examined(seeded)["seeds"]
    assert not found["ok"]
    since = f"{now - timedelta(hours=3):%Y-%m-%d %H:%M} UTC"
    assert f"1 of 2 cannot be read, the first since {since}" in found["says"]
    assert "seed1@mail.example: sign-in refused. Make a new app password." in found["says"]


def test_what_seeds_need_and_the_configuration_lacks_is_found(config: str, tmp_path: Path) -> None:
    rows = (
        "address,provider,reader,oauth,drop\na@mail.example,gmx,drop,,here\n"
        "b@mail.example,gmx,imap,app,\nc@mail.example,gmx,inbound,,\n"
        "d@mail.example,gmx,drop,,gone\n"
    )
    (tmp_path / "seeds.csv").write_text(rows)
    assert run("seeds", "import", str(tmp_path / "seeds.csv"), "--config", config).exit_code == 0
    with Path(config).open("a", encoding="utf-8") as file:
        file.write('\n[drops.gone]\npath = "not/there"\n')
    assert {"[drops.here]", "[drops.gone]", "[oauth.app]", "[inbound]"} <= wrongs(config)
    setting(config, "inbound", 'key = "short"')
    found = examined(config)["[inbound]"]
    assert (found["ok"], "guessed" in found["says"]) == (True, True)


def test_passwords_that_no_key_opens_are_found_and_reseal_says_so(seeded: str) -> None:
    setting(seeded, "secrets", f'key = "{new_key()}"')
    assert "2 of 2 cannot be read" in examined(seeded)["mailbox passwords"]["says"]
    shown = run("seeds", "reseal", "--config", seeded)
    assert shown.exit_code == 1
    assert "seed1@mail.example" in shown.output


def test_an_old_key_is_needed_until_everything_is_resealed(seeded: str) -> None:
    old = next(
        line.split('"')[1]
        for line in Path(seeded).read_text("utf-8").splitlines()
        if line.startswith("key = ")
    )
    fresh = new_key()
    setting(seeded, "secrets", f'key = ["{fresh}", "{old}"]')
    assert "still needed: 2 passwords" in examined(seeded)["old keys"]["says"]
    assert "2 of 2 passwords" in run("seeds", "reseal", "--config", seeded).output
    assert "not needed any more" in examined(seeded)["old keys"]["says"]
    setting(seeded, "secrets", f'key = "{fresh}"')
    assert examined(seeded)["mailbox passwords"]["ok"]
    assert "old keys" not in examined(seeded)


def test_a_mail_server_that_says_nothing_is_given_up_in_time(config: str) -> None:
    setting(config, "sending", "timeout_s = 1")
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        server_at(config, "sending", silent.getsockname()[1])
        assert "no answer in time" in examined(config)["mail server"]["says"]


def test_of_a_database_server_that_is_down_the_rest_is_still_looked_at(
    config: str, shut: int
) -> None:
    url = f"postgresql+psycopg://u:hunter2@127.0.0.1:{shut}/x"
    setting(config, "database", f'url = "{url}"')
    assert {"database", "mail server"} <= wrongs(config)
    assert "hunter2" not in run("doctor", "--config", config).output
