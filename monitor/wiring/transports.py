"""The ways out that the configuration names."""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Final

from monitor.core.errors import BadInputError, TransportRefusedError
from monitor.core.ports import Transport
from monitor.core.providers import nearest
from monitor.lookups.dns import DnsResolver
from monitor.senders.kinds import ESPS, open_transport, option_names
from monitor.senders.routes import DirectRoute, smarthost
from monitor.senders.smtp import SmtpTransport
from monitor.settings import Settings
from monitor.settings.sections import Route, Sending

SMTP: Final = "smtp"
KINDS: Final = (SMTP, *ESPS)

# By our key in the configuration: what a mail service may call the same thing.
_THEIR_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "api_key": ("api_key", "server_token"),
    "access_key": ("access_key_id",),
    "secret_key": ("secret_access_key",),
    "domain": ("domain",),
    "region": ("region",),
    "base_url": ("base_url",),
    "tracking": ("tracking",),
    "stream": ("stream",),
    "configuration_set": ("configuration_set",),
}


def smtp_transport(sending: Sending) -> SmtpTransport:
    """Return the transport through the mail server of *sending*, or straight to the providers."""
    route = (
        DirectRoute(DnsResolver(None, timeout_s=sending.timeout_s))
        if sending.mode == "direct"
        else smarthost(sending.endpoint)
    )
    transport = SmtpTransport(
        route,
        hostname=sending.hostname,
        timeout_s=sending.timeout_s,
        username=sending.username,
        password=sending.password.get_secret_value(),
        ca_file=sending.ca_file,
    )
    transport.without(sending.ignore_extensions)
    return transport.at_once(window=sending.window, connections=sending.connections)


def named_transports(settings: Settings) -> Callable[[str], Transport]:
    """Return what opens a transport by its name. Each is opened once, when it is first used."""
    opened: dict[str, Transport] = {}
    lock = Lock()

    def named(name: str) -> Transport:
        with lock:
            if name not in opened:
                opened[name] = _open_or_refuse(name, settings)
            return opened[name]

    return named


def _open_or_refuse(name: str, settings: Settings) -> Transport:
    """Open a transport; what is wrong with it can be mended, so work that needs it may wait."""
    try:
        return open_named(name, settings)
    except BadInputError as error:
        raise TransportRefusedError(error.what, remedy=error.remedy) from error


def open_named(name: str, settings: Settings) -> Transport:
    """Open the transport of [transports.*name*]; nothing is connected to yet.

    Raises:
        BadInputError: there is none of this name, or it cannot be used as it stands.
    """
    route = settings.transports.get(name)
    if route is None:
        guess = nearest(name, list(settings.transports)) + " " if settings.transports else ""
        remedy = f"{guess}Write a section [transports.{name}]; config.example.toml shows how."
        raise BadInputError("transport", name, "is not in the configuration", remedy=remedy)
    if route.kind == SMTP:
        return smtp_transport(server_of(name, route, settings.sending))
    return _open_service(name, route, timeout_s=settings.sending.timeout_s)


def server_of(name: str, route: Route, usual: Sending) -> Sending:
    """Return the mail server of a route of kind "smtp", with what [sending] says of all.

    Raises:
        BadInputError: it names no host.
    """
    if not route.host:
        raise BadInputError(
            f"transports.{name}.host", "", "is missing", remedy="Name the mail server."
        )
    keys = ("host", "port", "security", "username", "password")
    return usual.model_copy(
        update={"mode": "smarthost", **{key: getattr(route, key) for key in keys}}
    )


def _open_service(name: str, route: Route, *, timeout_s: float) -> Transport:
    if route.kind not in ESPS:
        raise BadInputError(
            f"transports.{name}.kind",
            route.kind,
            "is not known",
            remedy=nearest(route.kind, KINDS),
        )
    try:
        return open_transport(route.kind, _options(route), timeout_s=timeout_s)
    except BadInputError as error:
        ours = {theirs: key for key, names in _THEIR_NAMES.items() for theirs in names}
        field = f"transports.{name}.{ours.get(error.field, error.field)}"
        raise BadInputError(field, error.value, error.problem, remedy=error.remedy) from error


def _options(route: Route) -> dict[str, str]:
    """What the route says, by the names that its kind of service has for it."""
    known = option_names(route.kind)
    said = {
        "api_key": route.api_key.get_secret_value(),
        "access_key": route.access_key,
        "secret_key": route.secret_key.get_secret_value(),
        "domain": route.domain,
        "region": route.region,
        "base_url": route.base_url,
        "tracking": route.tracking,
        "stream": route.stream,
        "configuration_set": route.configuration_set,
    }
    return {
        next((theirs for theirs in _THEIR_NAMES[key] if theirs in known), key): value
        for key, value in said.items()
        if value
    }
