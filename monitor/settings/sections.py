"""What can be set, section by section; config.example.toml says what each key means."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from monitor.core.seeds import Endpoint, Security
from monitor.settings.values import (
    Address,
    HttpUrl,
    Keys,
    Loopback,
    MaybeAddress,
    MaybeUrl,
    NameServer,
    Network,
    PerMinute,
    Port,
    Seconds,
    Span,
    need_http,
    server_of,
)

NO_SECRET = SecretStr("")


class Section(BaseModel):
    """A table of the file. Unknown keys are errors, because a typing error must not be silent."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Database(Section):
    url: str = Field(default="sqlite:///seedwatch.db", min_length=1, repr=False)  # has passwords


class Secrets(Section):
    key: Keys = ()

    @property
    def keys(self) -> tuple[SecretStr, ...]:
        """The newest first: it seals, all of them open."""
        return self.key


class Web(Section):
    host: Loopback = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080  # 0: any that is free
    base_url: str = Field(default="", validate_default=True)

    @field_validator("base_url")
    @classmethod
    def _own_address(cls, url: str, info: ValidationInfo) -> str:
        """Links in alerts lead here: without a public address, to where we listen."""
        host = info.data.get("host", "127.0.0.1")
        shown = f"[{host}]" if ":" in host else host
        return need_http(url or f"http://{shown}:{info.data.get('port', 8080)}")


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


class Dns(Section):
    """Who is asked for mail servers and proofs of domains."""

    servers: tuple[NameServer, ...] = ()  # none: the system's
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

    from_address: Address = "seedwatch@localhost"
    host: str = ""
    port: Port = 587
    security: Security = Security.STARTTLS
    username: str = ""
    password: SecretStr = NO_SECRET
    allow_private: tuple[Network, ...] = ()
    ca_file: Path | None = None
    prove_domains: bool = True


class Operator(Section):
    """Who looks after this installation, and hears of its own troubles and of nothing else."""

    email: MaybeAddress = ""


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


class StatusPage(Section):
    """Where a service publishes how it is."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")]
    url: HttpUrl
    provider: Annotated[str, Field(pattern=r"^[a-z0-9_.-]{1,64}$")]


class Feeds(Section):
    """What providers publish about themselves, besides what a tenant may read."""

    google: bool = False
    apple: bool = False
    google_url: MaybeUrl = ""
    apple_url: MaybeUrl = ""
    statuspage: tuple[StatusPage, ...] = ()
    rss: tuple[StatusPage, ...] = ()

    @field_validator("statuspage", "rss")
    @classmethod
    def _own_names(cls, pages: tuple[StatusPage, ...]) -> tuple[StatusPage, ...]:
        names = [page.name for page in pages]
        if len(set(names)) < len(names):
            raise ValueError("two of them have the same name; give each one its own")
        return pages


class Heartbeat(Section):
    enabled: bool = False
    every: Span = "2h"
    seed_list: str = "default"


class Status(Section):
    public: bool = False  # anybody may read how providers' filters are doing


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
    operator: Operator = Operator()
    judge: Judge = Judge()
    tenants: dict[str, Tenant] = Field(default_factory=dict)
    oauth: dict[str, OAuth] = Field(default_factory=dict)
    drops: dict[str, Drop] = Field(default_factory=dict)
    inbound: Inbound = Inbound()
    transports: dict[str, Route] = Field(default_factory=dict)
    feeds: Feeds = Feeds()
    heartbeat: Heartbeat = Heartbeat()
    status: Status = Status()
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
