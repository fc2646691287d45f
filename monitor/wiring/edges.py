"""The edges that a configuration asks for: everything that touches the world outside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from monitor.alerts.email import EmailAlerter
from monitor.core.clock import Clock
from monitor.core.ports import Alerter, LinkChecker, Mailbox, StatusFeed, Transport
from monitor.core.seeds import Account, ProviderFacts
from monitor.feeds.microsoft import MicrosoftHealthFeed
from monitor.lookups.dns import DnsResolver
from monitor.lookups.links import HttpLinkChecker
from monitor.mailboxes.graph import GraphTenant
from monitor.mailboxes.kinds import ReaderParts, open_mailbox
from monitor.senders.routes import DirectRoute, smarthost
from monitor.senders.smtp import SmtpTransport
from monitor.settings import Settings
from monitor.settings.sections import Sending, Tenant
from monitor.tenant import TenantAccess


@dataclass(frozen=True, slots=True)
class Edges:
    """What the line is given from outside. The demo and the tests bring their own."""

    transport: Transport
    open_mailbox: Callable[[Account, ProviderFacts | None], Mailbox]
    checker: LinkChecker
    feeds: Sequence[StatusFeed]
    alerters: Mapping[str, Alerter]


def edges_from(settings: Settings, clock: Clock) -> Edges:
    """Build the edges that *settings* ask for. Nothing is connected to yet."""
    return Edges(
        transport=_transport(settings.sending),
        open_mailbox=partial(
            open_mailbox,
            parts=ReaderParts(
                timeout_s=settings.reading.timeout_s,
                ca_file=_text(settings.reading.ca_file),
                tenants=tenants_from(settings),
            ),
        ),
        checker=HttpLinkChecker(timeout_s=settings.reading.timeout_s),
        feeds=feeds_from(settings),
        alerters={
            "email": EmailAlerter(
                _transport(settings.alert_server), settings.alerts.from_address, clock
            )
        },
    )


def tenants_from(settings: Settings) -> dict[str, GraphTenant]:
    """The Microsoft 365 tenants whose logs tell what IMAP cannot show."""
    return {name: GraphTenant(_access(tenant)) for name, tenant in settings.tenants.items()}


def feeds_from(settings: Settings) -> list[StatusFeed]:
    """The status feeds that the configured tenants may read."""
    return [MicrosoftHealthFeed(_access(tenant)) for tenant in settings.tenants.values()]


def _access(tenant: Tenant) -> TenantAccess:
    return TenantAccess(
        tenant=tenant.tenant,
        client_id=tenant.client_id,
        client_secret=tenant.client_secret.get_secret_value(),
        base_url=tenant.base_url,
        login_url=tenant.login_url,
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _transport(sending: Sending) -> SmtpTransport:
    route = (
        DirectRoute(DnsResolver(None, timeout_s=sending.timeout_s))
        if sending.mode == "direct"
        else smarthost(sending.endpoint)
    )
    return SmtpTransport(
        route,
        hostname=sending.hostname,
        timeout_s=sending.timeout_s,
        username=sending.username,
        password=sending.password.get_secret_value(),
        ca_file=sending.ca_file,
    )
