"""The configuration: what is taken, what is refused, and in which words."""

import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args, get_origin

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from monitor.core.errors import BadInputError
from monitor.core.seeds import Endpoint, Security
from monitor.settings import Settings, demo_settings, load_settings, write_config
from monitor.settings.files import example
from monitor.settings.sections import Alerts, Sending

ROOT = Path(__file__).parent.parent
KEY, OLD_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def load(folder: Path, text: str, env: Mapping[str, str] | None = None) -> Settings:
    path = folder / "config.toml"
    path.write_text(text, "utf-8")
    return load_settings(path, env or {})


def complaint(folder: Path, text: str, env: Mapping[str, str] | None = None) -> str:
    with pytest.raises(BadInputError) as caught:
        load(folder, text, env)
    return str(caught.value)


def test_without_file_and_environment_the_defaults_hold() -> None:
    settings = load_settings(None, {})
    assert settings.web.base_url == "http://127.0.0.1:8080"
    assert settings.sending.endpoint == Endpoint("localhost", 587, Security.STARTTLS)
    assert not settings.heartbeat.enabled


def test_the_environment_stands_above_the_file(tmp_path: Path) -> None:
    text = "[web]\nport = 1\n[worker]\nthreads = 2"
    settings = load(tmp_path, text, {"SEEDWATCH_WEB__PORT": "9000"})
    assert (settings.web.port, settings.worker.threads) == (9000, 2)


def test_a_tenant_can_be_half_in_the_file_and_half_in_the_environment(tmp_path: Path) -> None:
    text = '[tenants.acme]\ntenant = "t"\nclient_id = "c"'
    settings = load(tmp_path, text, {"SEEDWATCH_TENANTS__ACME__CLIENT_SECRET": "s"})
    assert settings.tenants["acme"].client_secret.get_secret_value() == "s"


@pytest.mark.parametrize(
    "text",
    [f'key = ["{KEY}", "{OLD_KEY}"]', f'key = "{KEY}, {OLD_KEY}"'],
    ids=["a list", "one text"],
)
def test_keys_come_newest_first(tmp_path: Path, text: str) -> None:
    keys = load(tmp_path, f"[secrets]\n{text}").secrets.keys
    assert [key.get_secret_value() for key in keys] == [KEY, OLD_KEY]


def test_keys_can_come_from_the_environment() -> None:
    keys = load_settings(None, {"SEEDWATCH_SECRETS__KEY": f"{KEY},{OLD_KEY}"}).secrets.keys
    assert [key.get_secret_value() for key in keys] == [KEY, OLD_KEY]


def test_relative_paths_start_from_the_file(tmp_path: Path) -> None:
    text = """
    database.url = "sqlite:///sub/x.db"
    worker.queue = "sqlite:queue.db"
    reading.ca_file = "ca.pem"
    data.templates_dir = "mine"
    """
    (tmp_path / "mine").mkdir()
    settings = load(tmp_path, text)
    assert settings.database.url == f"sqlite:///{tmp_path}/sub/x.db"
    assert settings.worker.queue == f"sqlite:{tmp_path}/queue.db"
    assert settings.reading.ca_file == tmp_path / "ca.pem"
    assert settings.data.templates_dir == tmp_path / "mine"


def test_addresses_that_are_no_files_stay_as_they_are(tmp_path: Path) -> None:
    url = "postgresql+psycopg://u:p@localhost/x"
    settings = load(tmp_path, f'database.url = "{url}"\nworker.queue = "redis://localhost:1/0"')
    assert (settings.database.url, settings.worker.queue) == (url, "redis://localhost:1/0")


def test_alerts_go_out_as_tests_do_unless_they_have_a_server_of_their_own() -> None:
    sending = Sending(host="smtp.example.org", username="u", timeout_s=7)
    shared = Settings(sending=sending)
    own = Settings(sending=sending, alerts=Alerts(host="alerts.example.org", port=25))
    assert shared.alert_server == sending
    assert own.alert_server.endpoint == Endpoint("alerts.example.org", 25, Security.STARTTLS)
    assert (own.alert_server.username, own.alert_server.timeout_s) == ("", 7)


@pytest.mark.parametrize(
    ("text", "env", "expected"),
    [
        ("[web]\nprot = 8080", {}, "web.prot: '8080' is not a setting. Did you mean 'port'?"),
        ("[wbe]\nport = 1", {}, "wbe: '(hidden)' is not a section. Did you mean 'web'?"),
        ("[web]\nport = 99999", {}, "web.port: '99999' cannot be used. Input should be less"),
        ("[web]\nhost = '0.0.0.0'", {}, "web.host: '0.0.0.0' can be reached by others, and"),
        ("[web]\nbase_url = 'x'", {}, "web.base_url: 'x' is not an address. Write one"),
        ("[sending]\nmode = 'fast'", {}, "Input should be 'smarthost' or 'direct'"),
        ("[tenants.a]\ntenant = 't'", {}, "tenants.a.client_id: '(hidden)' is missing."),
        ("[heartbeat]\nevery = '0h'", {}, "heartbeat.every: '0h' is not a span of time."),
        ("[alerts]\nfrom_address = 'me'", {}, "'me' is not an e-mail address. Write"),
        ("web = 5", {}, "web: '5' cannot be used."),
        ("", {"SEEDWATCH_WEB__PORT": "x"}, "SEEDWATCH_WEB__PORT: 'x' cannot be used."),
        ("", {"SEEDWATCH_WEB__PROT": "1"}, "SEEDWATCH_WEB__PROT: '1' is not a setting. Did you"),
        ("", {"SEEDWATCH_WBE__PORT": "1"}, "SEEDWATCH_WBE__PORT: '(hidden)' is not a setting."),
        ("[web\nport = 1", {}, "is not TOML: Expected ']' at the end"),
    ],
)
def test_what_is_wrong_is_said_by_key_value_and_remedy(
    tmp_path: Path, text: str, env: Mapping[str, str], expected: str
) -> None:
    assert expected in complaint(tmp_path, text, env)


@pytest.mark.parametrize(
    ("text", "env"),
    [
        ("[secrets]\nkey = 'hunter2'", {}),
        ("[secrets]\nkey = ['hunter2', 7]", {}),
        ("[secrets]\nkye = 'hunter2'", {}),
        ("[sending]\npasword = 'hunter2'", {}),
        ("[sending]\npassword = ['hunter2']", {}),
        ("[sendign]\npassword = 'hunter2'", {}),
        ("[alerts]\npassword = 'hunter2'\nfrom_address = ''", {}),
        ("[tenants.a]\nclient_secret = 'hunter2'", {}),
        ("[oauth.a]\nclient_secret = 'hunter2'", {}),
        ("[inbound]\nkye = 'hunter2'", {}),
        ("[transports.a]\napi_key = 'hunter2'", {}),
        ("[database]\nurl = ['postgresql://u:hunter2@localhost']", {}),
        ("[sending]\npassword = 'hunter2", {}),
        ("", {"SEEDWATCH_SENDNIG__PASSWORD": "hunter2"}),
        ("", {"SEEDWATCH_SECRETS__KEY": "hunter2"}),
        ("", {"SEEDWATCH_SECRETS": '{"key": "hunter2"}'}),
        ("", {"SEEDWATCH_TENANTS": "hunter2"}),
    ],
)
def test_a_complaint_never_shows_a_secret(
    tmp_path: Path, text: str, env: Mapping[str, str]
) -> None:
    assert "hunter2" not in complaint(tmp_path, text, env)


def test_printing_settings_shows_no_secret(tmp_path: Path) -> None:
    text = f"""
    database.url = "postgresql+psycopg://u:hunter2@localhost/x"
    worker.queue = "redis://:hunter2@localhost"
    sending.password = "hunter2"
    secrets.key = "{KEY}"
    """
    shown = repr(load(tmp_path, text))
    assert "hunter2" not in shown
    assert KEY not in shown


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"cannot be read \(No such file"):
        load_settings(tmp_path / "missing.toml", {})


@pytest.mark.parametrize("raw", [b"\xff\xfe[web]", b"#" * 1_000_001, b"[web]\nport = 1" + b"\0"])
def test_a_file_that_is_no_text_is_an_error(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(raw)
    with pytest.raises(BadInputError, match="config"):
        load_settings(tmp_path / "config.toml", {})


def test_a_file_from_windows_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf[web]\r\nport = 81\r\n")
    assert load_settings(tmp_path / "config.toml", {}).web.port == 81


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: b.decode("latin-1")))
def test_whatever_a_value_is_the_answer_is_settings_or_a_complaint(value: str) -> None:
    env = {"SEEDWATCH_WEB__PORT": value, "SEEDWATCH_SECRETS__KEY": value}
    try:
        load_settings(None, env)
    except BadInputError as error:
        assert error.remedy  # noqa: PT017 - either is right, silence is not


@pytest.mark.parametrize("key", ["seedlists_dir", "templates_dir"])
def test_a_directory_of_ones_own_that_is_not_there_is_said_so(tmp_path: Path, key: str) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "nowhere"):
        said = complaint(tmp_path, f'[data]\n{key} = "{name}"')
        assert said.startswith(f"data.{key}: ")
        assert "is no directory. Make it, name another one, or leave the key out." in said


def test_init_writes_a_configuration_that_loads(tmp_path: Path) -> None:
    path = write_config(tmp_path / "new")
    settings = load_settings(path, {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert settings.database.url == f"sqlite:///{tmp_path}/new/seedwatch.db"
    assert len(settings.secrets.keys) == 1


def test_init_makes_another_key_each_time(tmp_path: Path) -> None:
    keys = {load_settings(write_config(tmp_path / n), {}).secrets.keys[0] for n in "ab"}
    assert len({key.get_secret_value() for key in keys}) == 2


def test_init_never_overwrites(tmp_path: Path) -> None:
    before = write_config(tmp_path).read_text()
    with pytest.raises(BadInputError, match="exists already"):
        write_config(tmp_path)
    assert (tmp_path / "config.toml").read_text() == before


def test_init_into_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="cannot be written"):
        write_config(tmp_path / "file")


def test_the_demo_needs_no_file(tmp_path: Path) -> None:
    fields = {"tenant": "t", "client_id": "c", "client_secret": "s"}
    settings = demo_settings(tmp_path, port=8123, tenant=fields)
    assert settings.web.base_url == "http://127.0.0.1:8123"
    assert settings.tenants["lab"].client_secret.get_secret_value() == "s"


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield "section.key" for every setting, with NAME for a name that people choose."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if get_origin(kind) is dict:
            yield from leaves(get_args(kind)[1], f"{prefix}{name}.NAME.")
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaves(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_the_example_shows_every_setting_and_no_other() -> None:
    shown = tomllib.loads(re.sub(r"(?m)^#(?=\[|\w+ = )", "", example()))
    named = {name for name, f in Settings.model_fields.items() if get_origin(f.annotation) is dict}
    keys = {
        f"{section}.{key}" if section not in named else f"{section}.NAME.{inner}"
        for section, table in shown.items()
        for key, value in table.items()
        for inner in (value if section in named else [key])
    }
    assert keys == set(leaves(Settings))


def test_what_the_example_says_holds_anyway_is_what_holds() -> None:
    """Active lines of the example are the defaults, but for the key."""
    shown = tomllib.loads(example())
    shown["secrets"].pop("key")
    assert Settings.model_validate(shown) == Settings()


def test_the_documentation_lists_every_setting_and_no_other() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert re.findall(r"(?m)^\| `([\w.]+)` \|", text) == list(leaves(Settings))
