"""The README's five steps as a stranger takes them: the program itself, on the lab's servers."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.core.clock import ManualClock, SystemClock
from monitor.lab.lab import Lab
from monitor.lab.scenario import Scenario
from monitor.settings import load_settings
from tests.story.home import Home
from tests.story.relay import Relay, eventually, relaying

pytestmark = pytest.mark.timeout(240)  # for machines with much else to do: it takes about 12 s
PROGRAM = Path(sys.executable).with_name("seedwatch")
PROVIDERS = ("gmail", "google_workspace", "outlook", "microsoft365", "yahoo", "icloud", "gmx")
PASSWORD = "a password; with, marks"
YOU = "you@inbox.lab.example"
NEWSLETTER = (
    b"From: =?utf-8?q?B=C3=BCcher?= <hello@news.example.org>\r\n"
    b"To: list@news.example.org\r\nSubject: =?utf-8?q?M=C3=A4rz?=\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nRead https://news.example.org/march\r\n"
)
WITHIN_S = 60


@dataclass
class Stranger:
    """Somebody with a directory, a mail server and seven mailboxes."""

    folder: Path
    lab: Lab
    said: dict[str, "subprocess.CompletedProcess[str]"] = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    copies_arrived: bool = False
    stopped_after_s: float = 0.0

    def run(self, *args: str) -> "subprocess.CompletedProcess[str]":
        """Type a command, and keep what it says under its first two words."""
        done = subprocess.run(
            [PROGRAM, *args],
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
            cwd=self.folder,
            env=_environment(),
        )
        self.said[" ".join(args[:2])] = done
        return done

    def json(self, command: str) -> Any:
        return json.loads(self.said[command].stdout)

    def inboxes(self) -> list[int]:
        """How many messages lie in each seed's inbox."""
        return [len(self.lab.flags(address(p), "INBOX")) for p in PROVIDERS]


def address(provider: str) -> str:
    domains = {"google_workspace": "workspace", "microsoft365": "m365"}
    return f"seed@{domains.get(provider, provider)}.lab.example"


def _environment() -> dict[str, str]:
    ours = {n: v for n, v in os.environ.items() if not n.startswith("SEEDWATCH_")}
    return ours | {"PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    """All five steps, and a look at the result the next morning."""
    with (
        Lab(Scenario.bundled("quiet"), clock=SystemClock(), seed=1) as lab,
        relaying(lab) as relay,
    ):
        who = Stranger(tmp_path_factory.mktemp("stranger"), lab)
        configure(who, relay)
        bring_seeds(who)
        run_it(who)
        an_hour_later(who)
        look(who)
        yield who


def configure(who: Stranger, relay: Relay) -> None:
    who.run("init")
    config = who.folder / "config.toml"
    server = relay.endpoint
    text = config.read_text("utf-8")
    before, mark, sending = text.partition("[sending]")
    for key, mine in (("host", f'"{server.host}"'), ("port", server.port), ("security", '"plain"')):
        sending = re.sub(rf"(?m)^{key} = .*$", f"{key} = {mine}", sending, count=1)
    config.write_text(before + mark + sending, "utf-8")


def bring_seeds(who: Stranger) -> None:
    who.lab.add_mailbox(YOU, PASSWORD)
    lines = ["address,provider,username,password,host,port,security"]
    for provider in PROVIDERS:
        who.lab.add_mailbox(address(provider), PASSWORD)
        imap = who.lab.providers[provider].imap
        lines.append(f'{address(provider)},{provider},,"{PASSWORD}",{imap.host},{imap.port},plain')
    (who.folder / "seeds.csv").write_text("\n".join(lines), "utf-8")
    who.run("seeds", "import", "seeds.csv")


def run_it(who: Stranger) -> None:
    """Serve; meanwhile check the seeds and send a test; stop once its copies have arrived."""
    with subprocess.Popen(
        [PROGRAM, "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=who.folder,
        env=_environment(),
    ) as server:
        assert server.stdout is not None
        last_resort = threading.Timer(2 * WITHIN_S, server.kill)
        last_resort.start()
        (who.folder / "newsletter.eml").write_bytes(NEWSLETTER)
        base = server.stdout.readline().removeprefix("Seedwatch: ").strip()
        with urllib.request.urlopen(f"{base}healthz", timeout=WITHIN_S) as answer:
            who.health = {"code": answer.status, **json.load(answer)}
        run_together(
            who,
            ("seeds", "check", "--json"),
            ("test", "send", "newsletter.eml", "--alert-to", YOU, "--json"),
        )
        who.copies_arrived = eventually(
            lambda: who.inboxes() == [2] * len(PROVIDERS), within_s=WITHIN_S
        )
        told_at = time.monotonic()
        server.send_signal(signal.SIGTERM)
        out, log = server.communicate(timeout=WITHIN_S)
        who.stopped_after_s = time.monotonic() - told_at
        who.said["serve"] = subprocess.CompletedProcess([], server.returncode, out, log)
        last_resort.cancel()


def an_hour_later(who: Stranger) -> None:
    """The same installation goes on, by a clock that need not be waited for."""
    home = Home(load_settings(who.folder / "config.toml", {}), ManualClock(SystemClock().now()))
    home.live(timedelta(hours=1))
    home.close()


def look(who: Stranger) -> None:
    uid = who.json("test send")["test"]
    run_together(who, ("test", "show", uid, "--json"), ("doctor", "--json"))


def run_together(who: Stranger, *commands: tuple[str, ...]) -> None:
    """What does not wait for one another: starting a program takes the most time here."""
    with ThreadPoolExecutor() as pool:
        for started in [pool.submit(who.run, *command) for command in commands]:
            started.result()


def test_every_step_succeeds_and_has_nothing_to_complain_of(stranger: Stranger) -> None:
    ended = {command: (said.returncode, said.stderr) for command, said in stranger.said.items()}
    assert ended.pop("seeds check") == (0, stranger.said["seeds check"].stderr)  # its progress
    assert set(ended.values()) == {(0, "")}


def test_whoever_is_to_be_told_is_asked_first(stranger: Stranger) -> None:
    assert len(stranger.lab.flags(YOU, "INBOX")) == 1
    assert f"{YOU} is told once they open the link" in stranger.json("test send")["says"]


def test_each_step_names_the_next(stranger: Stranger) -> None:
    assert "seedwatch seeds import" in stranger.said["init"].stdout
    assert "seedwatch seeds check" in stranger.said["seeds import"].stdout
    assert "seedwatch test show" in stranger.json("test send")["says"]


def test_every_seed_can_be_read_and_receives_mail(stranger: Stranger) -> None:
    checked = {one["address"]: one["ok"] for one in stranger.json("seeds check")}
    assert checked == dict.fromkeys(map(address, PROVIDERS), True)
    assert {one["mail"]["role"] for one in stranger.json("seeds check")} == {"inbox"}


def test_the_dashboard_is_well_while_it_runs(stranger: Stranger) -> None:
    assert (stranger.health["code"], stranger.health["status"]) == (200, "ok")


def test_one_copy_reaches_every_mailbox_within_seconds(stranger: Stranger) -> None:
    assert stranger.copies_arrived
    assert stranger.inboxes() == [2] * len(PROVIDERS)  # the other one is the check's message


def test_sigterm_ends_it_within_seconds(stranger: Stranger) -> None:
    assert stranger.said["serve"].returncode == 0
    assert stranger.stopped_after_s < 10


def test_what_serve_began_goes_on_after_a_restart(stranger: Stranger) -> None:
    placed = stranger.json("test show")["providers"]
    counted = {name: (one["n"], one["first"]["inbox_pct"]) for name, one in placed.items()}
    assert counted == dict.fromkeys(PROVIDERS, (1, 1.0))


def test_looking_left_no_trace(stranger: Stranger) -> None:
    flags = [stranger.lab.flags(address(provider), "INBOX") for provider in PROVIDERS]
    assert flags == [[set(), set()]] * len(PROVIDERS)


def test_afterwards_the_doctor_finds_nothing(stranger: Stranger) -> None:
    assert [one for one in stranger.json("doctor --json") if not one["ok"]] == []
