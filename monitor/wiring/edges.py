"""The edges that a configuration asks for: everything that touches the world outside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from monitor.alerts.apprise import AppriseAlerter
from monitor.alerts.email import EmailAlerter
from monitor.alerts.webhook import WebhookAlerter
from monitor.core.clock import Clock
from monitor.core.errors import TransportRefusedError
from monitor.core.ports import Alerter, LinkChecker, Mailbox, Resolver, StatusFeed, Transport
from monitor.core.seeds import Account, ProviderFacts
from monitor.feeds.apple import URL as APPLE
from monitor.feeds.apple import AppleStatusFeed
from monitor.feeds.google import URL as GOOGLE
from monitor.feeds.google import GoogleStatusFeed
from monitor.feeds.microsoft import MicrosoftHealthFeed
from monitor.feeds.rss import RssFeed
from monitor.feeds.statuspage import StatuspageFeed
from monitor.lookups.dns import DnsResolver
from monitor.lookups.links import HttpLinkChecker
from monitor.mailboxes.graph import GraphTenant
from monitor.mailboxes.kinds import open_mailbox
from monitor.settings import Settings
from monitor.settings.sections import Tenant
from monitor.tenant import TenantAccess
from monitor.wiring.readers import Rows, reader_parts
from monitor.wiring.transports import named_transports, smtp_transport


def no_transport(name: str) -> Transport:
    """Stand for no transports at all, where nobody has configured any."""
    raise TransportRefusedError(f"there is no transport {name!r}.")


@dataclass(frozen=True, slots=True)
class Edges:
    """What the line is given from outside. The demo and the tests bring their own."""

    transport: Transport
    open_mailbox: Callable[[Account, ProviderFacts | None], Mailbox]
    checker: LinkChecker
    feeds: Sequence[StatusFeed]
    alerters: Mapping[str, Alerter]
    resolver: Resolver
    named: Callable[[str], Transport] = field(default=no_transport)

    def transport_of(self, name: str) -> Transport:
        """Return the transport of a test: that of [transports.*name*], or the usual one for "".

        Raises:
            TransportRefusedError: there is none of this name, or it cannot be used.
        """
        return self.named(name) if name else self.transport


def edges_from(settings: Settings, clock: Clock, rows: Rows | None = None) -> Edges:
    """Build the edges that *settings* ask for. Nothing is connected to yet.

    Args:
        rows: for readers that keep something themselves: OAuth, web hooks.
    """
    return Edges(
        transport=smtp_transport(settings.sending),
        open_mailbox=partial(
            open_mailbox,
            parts=replace(
                reader_parts(settings, clock, rows), tenants=tenants_from(settings, clock)
            ),
        ),
        checker=HttpLinkChecker(timeout_s=settings.reading.timeout_s),
        feeds=feeds_from(settings),
        alerters=alerters_from(settings, clock),
        resolver=DnsResolver(settings.dns.nameservers, timeout_s=settings.dns.timeout_s),
        named=named_transports(settings),
    )


def alerters_from(settings: Settings, clock: Clock) -> dict[str, Alerter]:
    """Each kind of route that alerts can go over."""
    alerts = settings.alerts
    return {
        "email": EmailAlerter(smtp_transport(settings.alert_server), alerts.from_address, clock),
        "webhook": WebhookAlerter(clock, allowed=alerts.allow_private, ca_file=alerts.ca_file),
        "apprise": AppriseAlerter(allowed=alerts.allow_private),
    }


def tenants_from(settings: Settings, clock: Clock | None = None) -> dict[str, GraphTenant]:
    """The Microsoft 365 tenants whose logs tell what IMAP cannot show."""
    return {
        name: GraphTenant(_access(tenant), clock=clock) for name, tenant in settings.tenants.items()
    }


def feeds_from(settings: Settings) -> list[StatusFeed]:
    """The status feeds that the configured tenants may read, and those of [feeds]."""
    chosen = settings.feeds
    found: list[StatusFeed] = [
        MicrosoftHealthFeed(_access(tenant), name=f"microsoft365:{name}")
        for name, tenant in settings.tenants.items()
    ]
    if chosen.google:
        found.append(GoogleStatusFeed(chosen.google_url or GOOGLE))
    if chosen.apple:
        found.append(AppleStatusFeed(chosen.apple_url or APPLE))
    found += [StatuspageFeed(page.name, page.url, page.provider) for page in chosen.statuspage]
    return [*found, *(RssFeed(page.name, page.url, page.provider) for page in chosen.rss)]


def _access(tenant: Tenant) -> TenantAccess:
    return TenantAccess(
        tenant=tenant.tenant,
        client_id=tenant.client_id,
        client_secret=tenant.client_secret.get_secret_value(),
        base_url=tenant.base_url,
        login_url=tenant.login_url,
    )
