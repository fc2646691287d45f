"""`seedwatch seeds authorize` gets a refresh token and seals it into the seed."""

import json
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from sqlmodel import Session, select

from monitor.store.secrets import Vault
from monitor.store.tables import SeedRow
from tests.cli.typed import refused, run

ADDRESS = "seed@mail.example"
TOKEN = "refresh-s3cret"


class Provider:
    """A provider that gives a code for another device, and its grant to whoever asks with it."""

    def __init__(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                body = json.dumps(provider.answer(self.path, form)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def answer(self, path: str, form: dict[str, list[str]]) -> dict[str, object]:
        if path == "/device":
            return {
                "device_code": "d3vice",
                "user_code": "ABCD-EFGH",
                "verification_uri": "https://provider.example/device",
                "interval": 1,
                "expires_in": 60,
            }
        assert form["device_code"] == ["d3vice"]
        return {
            "access_token": "access-s3cret",
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": TOKEN,
        }

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.stop()


@pytest.fixture
def seeded(config: str, tmp_path: Path) -> str:
    """An installation with a seed that signs in by OAuth and one that does not."""
    rows = "address,provider,password,oauth\n" + f"{ADDRESS},gmail,,app\npw@mail.example,gmx,x,\n"
    (tmp_path / "seeds.csv").write_text(rows)
    assert run("seeds", "import", str(tmp_path / "seeds.csv"), "--config", config).exit_code == 0
    return config


def register(config: str, url: str) -> None:
    """Write the application into the configuration."""
    section = (
        f'\n[oauth.app]\nkind = "custom"\nclient_id = "c"\nscopes = ["mail"]\n'
        f'token_url = "{url}/token"\ndevice_url = "{url}/device"\n'
    )
    with Path(config).open("a", encoding="utf-8") as file:
        file.write(section)


def test_the_grant_is_sealed_into_the_seed_and_shown_nowhere(
    seeded: str, provider: Provider, session: Session
) -> None:
    register(seeded, provider.url)
    shown = run("seeds", "authorize", ADDRESS.upper(), "--config", seeded)
    assert shown.exit_code == 0, shown.output
    assert "https://provider.example/device" in shown.stderr
    assert "ABCD-EFGH" in shown.stderr
    assert f"seedwatch seeds check --only {ADDRESS}" in shown.stdout
    assert "s3cret" not in shown.output
    seed = session.exec(select(SeedRow).where(SeedRow.address == ADDRESS)).one()
    assert TOKEN.encode() not in seed.secret
    keys = tomllib.loads(Path(seeded).read_text("utf-8"))["secrets"]["key"]
    vault = Vault([keys] if isinstance(keys, str) else keys)
    assert vault.open(f"seed:{ADDRESS}", seed.secret) == TOKEN


def test_who_cannot_be_authorized_is_told_why(seeded: str) -> None:
    for address, status, words in (
        ("sed@mail.example", 1, ("there is no seed", "seed@mail.example")),
        ("pw@mail.example", 2, ("oauth", "signs in with a password")),
        (ADDRESS, 2, ("oauth", "'app' is not configured")),
    ):
        shown = run("seeds", "authorize", address, "--config", seeded)
        assert refused(shown, *words, status=status)
