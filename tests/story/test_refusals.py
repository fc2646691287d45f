"""What a stranger is told when something of theirs is wrong: what, on what, and what to do."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from monitor.cli import main
from monitor.lab.lab import Lab

PASSWORD = "right"
HEADER = "address,provider,password,host,port,security\n"


def run(*args: str, **env: str) -> Result:
    return CliRunner(env=env).invoke(main, list(args), catch_exceptions=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    assert run("init", "--dir", str(tmp_path)).exit_code == 0
    return tmp_path / "config.toml"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_serve_says_that_its_port_is_taken(config: Path, taken: int) -> None:
    shown = run("serve", "--config", str(config), "--port", str(taken))
    assert shown.exit_code == 2
    assert f"web.port: '{taken}' cannot be used (Address already in use)" in shown.output
    assert "choose another with --port" in shown.output


def test_the_demo_says_so_before_it_plays(taken: int) -> None:
    shown = run("demo", "--port", str(taken))
    assert shown.exit_code == 2
    assert f"--port: '{taken}' cannot be used (Address already in use)" in shown.output
    assert "Try --port 0." in shown.output
    assert "Did the story come out right?" not in shown.output


@pytest.mark.parametrize("command", ["serve", "worker", "seeds check", "test list"])
def test_a_key_that_is_none_stops_every_command(config: Path, command: str) -> None:
    text = config.read_text("utf-8")
    config.write_text(text.replace("\n[sending]", '\n[sending]\nuser = "me"'), "utf-8")
    shown = run(*command.split(), "--config", str(config))
    assert shown.exit_code == 2
    assert "sending.user" in shown.output
    assert "Did you mean 'username'?" in shown.output


class Impostor:
    """An IMAP server over TLS whose certificate is that of another host."""

    def __init__(self, certificate: ssl.SSLContext) -> None:
        self._tls = certificate
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
                self._tls.wrap_socket(connection, server_side=True).close()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def impostor(config: Path) -> Iterator[Impostor]:
    """The configuration trusts who signed its certificate."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(config.with_name("ca.pem")))
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("imap.elsewhere.example").configure_cert(certificate)
    text = config.read_text("utf-8").replace("\n[reading]", '\n[reading]\nca_file = "ca.pem"')
    config.write_text(text, "utf-8")
    server = Impostor(certificate)
    yield server
    server.stop()


Check = Callable[[str], dict[str, tuple[bool, str]]]


@pytest.fixture
def check(config: Path, lab: Lab) -> Check:
    """Import two good seeds and *lines*, and return what checking says of each."""
    imap = lab.providers["gmx"].imap
    good = [f"well{number}@gmx.lab.example" for number in (1, 2)]
    for address in good:
        lab.add_mailbox(address, PASSWORD)
    fine = [f"{address},gmx,{PASSWORD},{imap.host},{imap.port},plain" for address in good]

    def checked(line: str) -> dict[str, tuple[bool, str]]:
        rows = HEADER + "\n".join([fine[0], line, fine[1]])
        config.with_name("seeds.csv").write_text(rows, "utf-8")
        file = str(config.with_name("seeds.csv"))
        assert run("seeds", "import", file, "--config", str(config)).exit_code == 0
        shown = run("seeds", "check", "--no-mail", "--config", str(config), "--json")
        assert shown.exit_code == 1
        found = {one["address"]: (one["ok"], one["says"]) for one in json.loads(shown.stdout)}
        assert {address: found.pop(address) for address in good} == dict.fromkeys(
            good, (True, "can be read")
        )
        return found

    return checked


def test_a_wrong_password_is_told_with_the_providers_remedy(lab: Lab, check: Check) -> None:
    lab.add_mailbox("bad@gmail.lab.example", PASSWORD)
    imap = lab.providers["gmail"].imap
    found = check(f"bad@gmail.lab.example,gmail,wrong,{imap.host},{imap.port},plain")
    ok, says = found["bad@gmail.lab.example"]
    assert not ok
    assert "cannot read bad@gmail.lab.example: sign-in refused" in says
    assert "Gmail needs an app password" in says


def test_a_refused_connection_is_told_with_what_to_check(check: Check) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ok, says = check(f"shut@mail.example,corporate,x,127.0.0.1,{port},plain")["shut@mail.example"]
    assert not ok
    assert f"cannot read shut@mail.example: no connection to 127.0.0.1:{port}" in says
    assert "Connection refused" in says
    assert "Check the host and port of this seed" in says


def test_a_server_without_tls_is_told_with_what_to_check(lab: Lab, check: Check) -> None:
    imap = lab.providers["corporate"].imap
    ok, says = check(f"a@mail.example,corporate,x,127.0.0.1,{imap.port},tls")["a@mail.example"]
    assert not ok
    assert f"no TLS with 127.0.0.1:{imap.port}" in says
    assert "Check the port and security of this seed" in says


def test_a_certificate_of_another_host_is_told_with_what_to_check(
    check: Check, impostor: Impostor
) -> None:
    line = f"fake@mail.example,corporate,x,127.0.0.1,{impostor.port},tls"
    ok, says = check(line)["fake@mail.example"]
    assert not ok
    assert "the certificate of 127.0.0.1 is not valid" in says
    assert "Check the host name" in says


def test_a_seed_without_a_known_server_is_told_what_is_missing(check: Check) -> None:
    ok, says = check("lost@mail.example,corporate,x,,,")["lost@mail.example"]
    assert not ok
    assert "Give its host and port" in says
