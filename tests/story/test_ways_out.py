"""A test leaves by the transport that it names, and by no other."""

from datetime import timedelta
from pathlib import Path

from sqlmodel import Session, select

from monitor.core.clock import ManualClock
from monitor.core.departures import Departure
from monitor.core.placements import Placement
from monitor.core.seeds import Endpoint, Security
from monitor.lab.lab import Lab
from monitor.settings.sections import Route, Settings
from monitor.store import new_tests
from monitor.store.columns import saved
from monitor.store.tables import CampaignRow, SeedListRow
from monitor.wiring.routine import put_routine
from tests.story.home import Home, hosted, settings_at
from tests.story.relay import relaying

SENDER = "news.example.org"
SEEDS = tuple(f"s{n}@gmx.lab.example" for n in range(7))
NOBODY = Endpoint("127.0.0.1", 9, Security.PLAIN)


def with_bulk(settings: Settings, endpoint: Endpoint) -> Settings:
    route = Route(
        kind="smtp",
        host=endpoint.host,
        port=endpoint.port,
        security=endpoint.security,
        copies_per_minute=12,
    )
    return settings.model_copy(update={"transports": {"bulk": route}})


def send_through(home: Home, name: str) -> None:
    with Session(home.house.engine) as session:
        new_tests.create(
            session,
            session.exec(select(CampaignRow)).one(),
            seed_list_id=saved(session.exec(select(SeedListRow)).one().id),
            idempotency_key=f"through {name} at {home.clock.now()}",
            send_at=home.clock.now(),
            now=home.clock.now(),
            rng=home.house.rng,
            departure=Departure(transport=name),
        )
        session.commit()


def test_a_test_goes_by_its_transport_at_that_ones_rate_until_it_is_gone(
    tmp_path: Path, lab: Lab, clock: ManualClock
) -> None:
    plain = settings_at(tmp_path, NOBODY)
    with relaying(lab) as relay:
        home = Home(with_bulk(plain, relay.endpoint), clock)
        home.bring_in([hosted(lab, address) for address in SEEDS], SENDER)
        put_routine(home.house)
        send_through(home, "bulk")
        home.live(timedelta(seconds=20))
        taken = lab.stats["gmx"].smtp_messages
        assert 4 <= taken <= 6  # two at once, then one every five seconds
        home.live(timedelta(minutes=10))
        home.close()
    assert {look.placement for looks in home.looks().values() for look in looks} == {
        Placement.INBOX
    }

    home = Home(plain, clock, seed=2)  # the section is taken out of the configuration
    send_through(home, "bulk")
    home.live(timedelta(hours=26))
    last = {looks[-1].placement for looks in home.looks().values()}
    reasons = {looks[-1].reason for looks in home.looks().values()}
    home.close()
    assert last == {Placement.UNKNOWN}
    assert reasons == {"not sent: transport: 'bulk' is not in the configuration."}
