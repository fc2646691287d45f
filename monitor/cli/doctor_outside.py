"""What `seedwatch doctor` looks at outside: mail servers, the queue, tenants. Sends nothing."""

import smtplib
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from monitor.cli.findings import Finding, doubtful, fine, looked, wrong
from monitor.core.departures import YOURS
from monitor.core.errors import TransportRefusedError
from monitor.mailboxes.graph import GraphTenant
from monitor.mailboxes.http_mail import GraphRefusedError
from monitor.senders.connections import Client, connect, tls_context
from monitor.senders.replies import read_reply
from monitor.settings import Settings
from monitor.settings.sections import Sending
from monitor.wiring.edges import tenants_from
from monitor.wiring.transports import SMTP, open_named, server_of

WITHIN_S = 5.0  # for connecting, and for each answer
SERVER_PORTS = {"redis": 6379, "rediss": 6379, "postgresql": 5432, "postgresql+psycopg": 5432}
NOBODY = "localhost"  # a domain that no mail can be answered to


def mail_servers(settings: Settings) -> Iterator[Finding]:
    """Sign in to the mail server of [sending], and to that of [alerts] if it is another."""
    yield from looked("mail server", partial(_mail_server, "mail server", settings.sending))
    if settings.alerts.host:
        about = "mail server of alerts"
        yield from looked(about, partial(_mail_server, about, settings.alert_server))


def transports(settings: Settings) -> Iterator[Finding]:
    """Ask every transport of [transports] whether it lets us in; nothing is sent."""
    for name in settings.transports:
        about = f"transport {name}"
        yield from looked(about, partial(_named, about, name, settings))


def _named(about: str, name: str, settings: Settings) -> Iterator[Finding]:
    route = settings.transports[name]
    if name == YOURS:
        yield wrong(
            about,
            "this name is reserved: it stands for your own service sending",
            "Give the section another name.",
        )
    elif route.kind == SMTP:
        yield from _mail_server(about, server_of(name, route, settings.sending))
    else:
        transport = open_named(name, settings)
        check = getattr(transport, "check", None)
        yield fine(about, str(check()) if check else "is configured")


def alerts_from(settings: Settings) -> Iterator[Finding]:
    """Look at the address that warnings come from."""
    address = settings.alerts.from_address
    if address.rpartition("@")[2].lower() == NOBODY:
        yield doubtful(
            "alerts come from",
            f"{address}, which most mail servers refuse or take for spam",
            "Write an address of your own into [alerts] from_address.",
        )
    else:
        yield fine("alerts come from", address)


def queue(settings: Settings) -> Iterator[Finding]:
    """Look whether the queue can be reached; nothing is put into it."""
    kind, _, rest = settings.worker.queue.partition(":")
    if kind in SERVER_PORTS:
        yield _queue_server(kind, settings.worker.queue)
    elif kind in {"sqlite", "unix"}:
        path = Path(rest.removeprefix("//").partition("?")[0])
        if path.exists() if kind == "unix" else path.parent.is_dir():
            yield fine("queue", kind)
        else:
            yield wrong("queue", f"there is no {path}", "Check [worker] queue.")
    elif settings.worker.queue == "memory":
        yield fine("queue", "in memory, for one process")
    else:
        remedy = 'Write "memory", "sqlite:FILE", "redis://HOST:PORT/0" or "postgresql://HOST/NAME".'
        yield wrong("queue", f"{kind!r} is not a queue that we know", remedy)


def tenants(settings: Settings) -> Iterator[Finding]:
    """Sign in to every tenant."""
    for name, tenant in tenants_from(settings).items():
        about = f"tenant {name}"
        yield from looked(about, partial(_tenant, about, tenant))


def _mail_server(about: str, server: Sending) -> Iterator[Finding]:
    if server.mode == "direct":
        yield fine(about, "none: mail goes straight to the providers")
        return
    client = Client(
        server.hostname,
        min(server.timeout_s, WITHIN_S),
        tls_context(server.ca_file),
        server.username,
        server.password.get_secret_value(),
    )
    try:
        connection = connect(server.endpoint, client)
    except TransportRefusedError:
        raise
    except smtplib.SMTPResponseException as error:
        reason = str(read_reply(error.smtp_code, error.smtp_error))
    except (OSError, UnicodeError) as error:  # UnicodeError: the host name is none
        reason = str(error)
    else:
        with suppress(OSError):
            connection.quit()
        yield fine(about, f"{server.endpoint} lets us in")
        return
    section = "[alerts]" if about.endswith("alerts") else "[sending]"
    if about.startswith("transport "):
        section = f"[transports.{about.removeprefix('transport ')}]"
    yield wrong(
        about,
        f"{server.endpoint} cannot be used: {reason}",
        f"Check host, port and security in {section}, and that the server runs.",
    )


def _queue_server(kind: str, address: str) -> Finding:
    remedy = "Check [worker] queue, and that its server runs."
    try:
        parts = urlsplit(address)
        place = (parts.hostname or "localhost", parts.port or SERVER_PORTS[kind])
    except ValueError:  # the address is not shown: it may hold a password
        return wrong("queue", f"the address of the {kind} server cannot be understood", remedy)
    try:
        socket.create_connection(place, timeout=WITHIN_S).close()
    except (OSError, UnicodeError) as error:
        return wrong("queue", f"{kind} at {place[0]}:{place[1]} cannot be reached: {error}", remedy)
    return fine("queue", f"{kind} at {place[0]}:{place[1]} can be reached")


def _tenant(about: str, tenant: GraphTenant) -> Iterator[Finding]:
    tenant.sign_in()
    try:
        newest = tenant.freshness()
    except GraphRefusedError as error:
        says = "lets us in, but refuses hunting: what happens after delivery is not seen"
        yield doubtful(about, says, error.remedy)
    else:
        log = f"reaches to {newest:%Y-%m-%d %H:%M} UTC" if newest else "has no entry of this week"
        yield fine(about, f"lets us in; its log of mail {log}")
