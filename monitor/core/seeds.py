"""Seed mailboxes and the facts of the providers that host them."""

from dataclasses import dataclass, field
from enum import StrEnum

from monitor.core.campaigns import Role
from monitor.core.errors import NotFoundError


class Security(StrEnum):
    """How a connection is protected."""

    TLS = "tls"  # from the first byte
    STARTTLS = "starttls"
    PLAIN = "plain"  # for the loopback lab only


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server to connect to."""

    host: str
    port: int
    security: Security = Security.TLS

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Account:
    """How to sign in to one seed mailbox. `repr` never shows the password."""

    address: str
    provider: str
    endpoint: Endpoint | None  # its IMAP server, where one is known
    username: str
    password: str = field(repr=False, default="")
    tenant: str = ""  # name of a [tenants.NAME] in the configuration, for Microsoft Graph
    reader: str = ""  # kind of reader; "" for the one that the account's other fields suggest
    oauth: str = ""  # name of an [oauth.NAME]; `password` is then the refresh token
    drop: str = ""  # name of a [drops.NAME]: where its mail is laid down as files

    @property
    def server(self) -> Endpoint:
        """Return its IMAP server.

        Raises:
            NotFoundError: none is known.
        """
        if self.endpoint is None:
            raise NotFoundError(
                f"no IMAP server is known for {self.address} (provider {self.provider!r}).",
                remedy="Give its host and port in the seed list, or name another reader.",
            )
        return self.endpoint


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What is known of one mailbox provider; from seedlists/providers/ID.toml."""

    id: str
    name: str
    mx: tuple[str, ...]  # suffixes of MX host names, lower case, no leading dot
    imap: Endpoint | None
    folders: dict[str, Role]  # folder names, case-folded, where SPECIAL-USE is silent
    tabs: tuple[str, ...] = ()  # categories that the reader can ask for (Gmail)
    authserv_ids: tuple[str, ...] = ()
    login_remedy: str = ""  # what a person must do when sign-in is refused
    report_form: str = ""  # the provider's own page for false positives
    jmap: str = ""  # address of its JMAP session, where it has one
    link_hosts: tuple[str, ...] = ()  # hosts that rewritten links point to
    business: bool = False
    smtp: Endpoint | None = None  # where its own users hand their mail over
    oauth_only: bool = False  # it takes no passwords over IMAP
    serial: bool = False  # its IMAP servers take one command at a time
    connections: int = 0  # IMAP connections at once, of all its seeds; 0 for no limit
    account_connections: int = 0  # of one seed


@dataclass(frozen=True, slots=True)
class SeedEntry:
    """One line of a seed list."""

    address: str
    provider: str
    region: str = ""
    username: str = ""
    password: str = field(repr=False, default="")
    host: str = ""
    port: int = 0
    security: Security | None = None
    reader: str = "imap"
    tenant: str = ""
    oauth: str = ""
    drop: str = ""
