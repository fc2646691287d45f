"""A sending service of each kind, and letters to hand to it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from monitor.core.campaigns import Campaign, Letter
from monitor.evidence.compose import compose
from monitor.senders.esp.service import Service
from monitor.senders.kinds import open_transport
from tests.edges.esp.server import EspServer, Vendor
from tests.edges.esp.vendors import VENDORS

CAMPAIGN = Campaign(
    name="spring",
    from_address="news@brand.example",
    from_name="Brand Müller, Ltd",
    subject="Frühling: 20 % off",
    text="Hello,\nsee https://brand.example/a?b=1&c=2\n.\nBye",
    html="<p>Grüße <a href='https://brand.example/a'>here</a></p>",
    headers=(
        ("List-Unsubscribe", "<https://brand.example/u?x=1>, <mailto:u@brand.example>"),
        ("X-Campaign-ID", "spring-7"),
    ),
)


def make_letter(number: int = 1, *, campaign: Campaign = CAMPAIGN, minute: int = 0) -> Letter:
    return compose(
        campaign,
        recipient=f"seed{number}@mailbox.example",
        message_id=f"<{number}.a@brand.example>",
        token="tok1",
        mail_from="bounces@brand.example",
        date=datetime(2026, 3, 2, 8, minute, tzinfo=UTC),
    )


def make_service(server: EspServer, timeout_s: float = 10.0, **options: str) -> Service:
    given = {**server.vendor.options, "base_url": server.url, **options}
    return open_transport(server.vendor.kind, given, timeout_s=timeout_s)


@pytest.fixture
def start() -> Iterator[Callable[[Vendor], EspServer]]:
    """Start servers; they end with the test, and have found nothing wrong by then."""
    servers: list[EspServer] = []

    def one(vendor: Vendor) -> EspServer:
        servers.append(EspServer(vendor))
        return servers[-1]

    yield one
    for server in servers:
        server.stop()
    assert [problem for server in servers for problem in server.problems] == []


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.kind)
def server(request: pytest.FixtureRequest, start: Callable[[Vendor], EspServer]) -> EspServer:
    """Each service in turn."""
    return start(request.param)
