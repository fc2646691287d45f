"""What can be set, section by section; config.example.toml says what each key means."""

import ipaddress
import re
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode

from monitor.core.seeds import Endpoint, Security

KEY_BYTES = 32  # of a Fernet key
NO_SECRET = SecretStr("")


def _as_several(value: object) -> object:
    """One key, or several with the newest first; in one string, commas stand between them."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _need_key(key: SecretStr) -> SecretStr:
    try:
        length = len(urlsafe_b64decode(key.get_secret_value()))
    except ValueError:
        length = 0
    if length != KEY_BYTES:
        raise ValueError("is not a key; `seedwatch init` writes a configuration with a fresh one")
    return key


def _need_loopback(host: str) -> str:
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(
            "can be reached by others, and there are no accounts yet: whoever reached the pages"
            " could read everything; write 127.0.0.1, and put a proxy that asks for a password"
            " before it"
        )
    return host


def _need_http(url: str) -> str:
    if not re.match(r"https?://[^/\s]", url):
        raise ValueError("is not an address; write one that begins with https://")
    return url.rstrip("/")


def _need_span(spec: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,3}[mhd]", spec, re.ASCII):
        raise ValueError('is not a span of time; write "2h", "30m" or "1d"')
    return spec


def _need_address(address: str) -> str:
    if not re.fullmatch(r"[^\s@<>]{1,64}@[^\s@<>]{1,253}", address):
        raise ValueError('is not an e-mail address; write "alerts@example.org"')
    return address


def _need_network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        raise ValueError('is not a network; write "10.1.2.0/24"') from None


Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
PerMinute = Annotated[float, Field(ge=0, le=100_000)]  # at one provider; 0: as fast as it goes
Network = Annotated[ipaddress.IPv4Network | ipaddress.IPv6Network, BeforeValidator(_need_network)]
HttpUrl = Annotated[str, AfterValidator(_need_http)]
MaybeUrl = Annotated[str, AfterValidator(lambda url: _need_http(url) if url else "")]
Key = Annotated[SecretStr, AfterValidator(_need_key)]


class Section(BaseModel):
    """A table of the file. Unknown keys are errors, because a typing error must not be silent."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Database(Section):
    url: str = Field(default="sqlite:///seedwatch.db", min_length=1, repr=False)  # has passwords


class Secrets(Section):
    key: Annotated[tuple[Key, ...], NoDecode, BeforeValidator(_as_several)] = ()

    @property
    def keys(self) -> tuple[SecretStr, ...]:
        """The newest first: it seals, all of them open."""
        return self.key


class Web(Section):
    host: Annotated[str, AfterValidator(_need_loopback)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080  # 0: any that is free
    base_url: str = Field(default="", validate_default=True)

    @field_validator("base_url")
    @classmethod
    def _own_address(cls, url: str, info: ValidationInfo) -> str:
        """Links in alerts lead here: without a public address, to where we listen."""
        host = info.data.get("host", "127.0.0.1")
        shown = f"[{host}]" if ":" in host else host
        return _need_http(url or f"http://{shown}:{info.data.get('port', 8080)}")


class Worker(Section):
    threads: Annotated[int, Field(ge=1, le=64)] = 4
    queue: str = Field(default="memory", min_length=1, repr=False)  # may hold a password
    lease_seconds: Annotated[float, Field(ge=30, le=86400)] = 300


class Sending(Section):
    mode: Literal["smarthost", "direct"] = "smarthost"
    host: str = "localhost"
    port: Port = 587
    security: Security = Security.STARTTLS
    username: str = ""
    password: SecretStr = NO_SECRET
    hostname: str = "localhost"
    tests_per_minute: PerMinute = 0
    copies_per_minute: PerMinute = 60
    window: Annotated[int, Field(ge=1, le=1000)] = 1
    connections: Annotated[int, Field(ge=1, le=50)] = 4
    ignore_extensions: tuple[str, ...] = ()
    timeout_s: Seconds = 30
    ca_file: Path | None = None

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.host, self.port, self.security)


def _need_server(server: str) -> str:
    host, port = server_of(server)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise ValueError('is not a server; write an address as "192.0.2.53" or "192.0.2.53:5353"')
    return server


def server_of(text: str) -> tuple[str, int]:
    """Split "ADDRESS" or "ADDRESS:PORT" ("[ADDRESS]:PORT" for IPv6); 53 without a port."""
    found = re.fullmatch(r"\[([^\[\]]+)\]:(\d{1,5})|([^:]+):(\d{1,5})", text, re.ASCII)
    if found is None:
        return text.strip("[]"), 53
    return found[1] or found[3], int(found[2] or found[4])


class Dns(Section):
    """Who is asked for mail servers and proofs of domains."""

    servers: tuple[Annotated[str, AfterValidator(_need_server)], ...] = ()  # none: the system's
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5

    @property
    def nameservers(self) -> list[tuple[str, int]] | None:
        return [server_of(server) for server in self.servers] or None


class Reading(Section):
    timeout_s: Seconds = 30
    missing_after_hours: Annotated[float, Field(gt=0, le=168)] = 6
    visits_per_minute: PerMinute = 0
    ca_file: Path | None = None


class Alerts(Section):
    """Without a host of their own, alerts go out as [sending] does."""

    from_address: Annotated[str, AfterValidator(_need_address)] = "seedwatch@localhost"
    host: str = ""
    port: Port = 587
    security: Security = Security.STARTTLS
    username: str = ""
    password: SecretStr = NO_SECRET
    allow_private: tuple[Network, ...] = ()
    ca_file: Path | None = None


class Judge(Section):
    false_alarms_per_year: Annotated[float, Field(gt=0, le=1000)] = 2.0


class Tenant(Section):
    """A Microsoft 365 tenant whose logs we may read."""

    tenant: str = Field(min_length=1)
    client_id: str = Field(min_length=1)
    client_secret: SecretStr
    base_url: HttpUrl = "https://graph.microsoft.com"
    login_url: HttpUrl = "https://login.microsoftonline.com"


class OAuth(Section):
    """An application that is registered with a provider, by which its mailboxes let us in."""

    kind: Literal["microsoft", "google", "custom"]
    client_id: str = Field(min_length=1)
    client_secret: SecretStr = NO_SECRET
    tenant: str = "common"  # microsoft only
    scopes: tuple[str, ...] = ()  # empty: those of the kind, for reading mail
    token_url: MaybeUrl = ""  # these three: empty for those of the kind
    authorize_url: MaybeUrl = ""
    device_url: MaybeUrl = ""


class Drop(Section):
    """A directory or file into which some other system lays the mail of seeds."""

    path: Path
    form: Literal["maildir", "mbox", "eml"] = "maildir"


class Inbound(Section):
    """The web hook by which a system behind a seed reports what it received."""

    key: SecretStr = NO_SECRET  # empty: the hook is closed


class Route(Section):
    """Another way out than [sending]: a mail server, or a mail service's own interface."""

    kind: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")]
    api_key: SecretStr = NO_SECRET
    access_key: str = ""
    secret_key: SecretStr = NO_SECRET
    domain: str = ""
    region: str = ""
    base_url: MaybeUrl = ""
    tracking: Literal["account", "off"] = "account"
    stream: str = ""
    configuration_set: str = ""
    host: str = ""
    port: Port = 587
    security: Security = Security.STARTTLS
    username: str = ""
    password: SecretStr = NO_SECRET
    copies_per_minute: PerMinute = 0


class Heartbeat(Section):
    enabled: bool = False
    every: Annotated[str, AfterValidator(_need_span)] = "2h"
    seed_list: str = "default"


class Retention(Section):
    headers_days: Annotated[int, Field(ge=1, le=36500)] = 90


class Data(Section):
    seedlists_dir: Path | None = None
    templates_dir: Path | None = None


class Settings(Section):
    """All of it. Relative paths have been made absolute by whoever loaded it."""

    database: Database = Database()
    secrets: Secrets = Secrets()
    web: Web = Web()
    worker: Worker = Worker()
    sending: Sending = Sending()
    dns: Dns = Dns()
    reading: Reading = Reading()
    alerts: Alerts = Alerts()
    judge: Judge = Judge()
    tenants: dict[str, Tenant] = Field(default_factory=dict)
    oauth: dict[str, OAuth] = Field(default_factory=dict)
    drops: dict[str, Drop] = Field(default_factory=dict)
    inbound: Inbound = Inbound()
    transports: dict[str, Route] = Field(default_factory=dict)
    heartbeat: Heartbeat = Heartbeat()
    retention: Retention = Retention()
    data: Data = Data()

    @property
    def alert_server(self) -> Sending:
        """The mail server for alerts, with what it shares with [sending] filled in."""
        if not self.alerts.host:
            return self.sending
        own = {
            name: getattr(self.alerts, name)
            for name in ("host", "port", "security", "username", "password")
        }
        return self.sending.model_copy(update={"mode": "smarthost", **own})
