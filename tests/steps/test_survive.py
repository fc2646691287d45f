"""An alert must not die of what it reports."""

from collections.abc import Sequence

import pytest
from sqlmodel import Session, col, select

from monitor.core.arrival import arrival, same_house
from monitor.core.campaigns import Found, Role, Wanted
from monitor.core.errors import (
    AgainLaterError,
    MailboxBusyError,
    PersonNeededError,
    SeedwatchError,
)
from monitor.core.incidents import State
from monitor.core.placements import Placement
from monitor.core.ports import Message
from monitor.core.routes import Arrival, Severity
from monitor.core.seeds import ProviderFacts
from monitor.steps.survive import Receivers, plan, survive
from monitor.steps.twin import look_for_twin, send_twin
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow, TwinRow
from monitor.store.tables import SeedRow
from monitor.store.verdict_tables import AlertRow
from monitor.store.work_tables import JobRow
from tests.steps.stories import event
from tests.steps.telling import DOMAIN, Channel, add_route, happens, the_route
from tests.steps.world import World

M365 = "microsoft365"
INBOX, SPAM = Placement.INBOX, Placement.SPAM


class Seeds:
    """All seed mailboxes: whatever is looked for lies in the same folder, or nowhere."""

    def __init__(self, role: Role | None, trouble: SeedwatchError | None = None) -> None:
        self.role = role
        self.trouble = trouble

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        if self.trouble is not None:
            raise self.trouble
        return [Found(w.message_id, "f", self.role) for w in wanted if self.role is not None]

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        return None

    def close(self) -> None:
        pass


@pytest.fixture
def alert(world: World, session: Session) -> AlertRow:
    """An alert about a provider where the organisation has three seeds."""
    for seed in session.exec(select(SeedRow)).all():
        seed.provider = M365
        session.add(seed)
    [owed] = happens(world, event(world.clock.now()))
    return owed


def look_after(world: World, alert: AlertRow, **elsewhere: str) -> None:
    """Every domain is received for by the affected provider, but for those named."""
    known = {name.replace("_", "."): provider for name, provider in elsewhere.items()}
    survive(
        world.session,
        alert_id=saved(alert.id),
        receivers=Receivers(
            lambda domain: known.get(domain, M365), lambda provider: {provider, "outlook"}
        ),
        alert_domain=DOMAIN,
        clock=world.clock,
    )
    world.session.commit()


def owed_to(world: World) -> list[int]:
    return list(world.session.exec(select(AlertRow.route_id).order_by(col(AlertRow.id))).all())


def the_twins(world: World) -> list[TwinRow]:
    return list(world.session.exec(select(TwinRow).order_by(col(TwinRow.id))).all())


def send_all(world: World, channel: Channel) -> None:
    for twin in the_twins(world):
        send_twin(
            world.session,
            twin_id=saved(twin.id),
            write=lambda alert, route: Message(f"{alert.topic} for {route.address}", "text"),
            alerter=channel,
            clock=world.clock,
        )


def look_for_all(world: World, seeds: Seeds, rung: int = 0) -> None:
    for twin in the_twins(world):
        look_for_twin(
            world.session,
            twin_id=saved(twin.id),
            rung=rung,
            open_mailbox=lambda _seed: seeds,
            clock=world.clock,
        )


def test_only_alerts_by_mail_about_trouble_that_goes_on_are_looked_after(
    world: World, session: Session, alert: AlertRow
) -> None:
    hook = add_route(world, "https://example.org/hook", kind="webhook")
    by_hook = alert.model_copy(update={"id": 901, "route_id": hook.id})
    end = alert.model_copy(update={"id": 902, "state": State.CLOSED})
    plan(session, [alert, by_hook, end])
    work = session.exec(select(JobRow).where(JobRow.kind == "survive")).all()
    assert [job.args for job in work] == [{"alert": alert.id}]


def test_who_is_hosted_elsewhere_is_told_once(world: World, alert: AlertRow) -> None:
    look_after(world, alert, news_example_org="gmail")
    assert owed_to(world) == [alert.route_id]
    assert alert.arrival is Arrival.UNASKED
    assert the_twins(world) == []


def test_who_is_hosted_where_the_trouble_is_is_told_over_the_second_route_too(
    world: World, alert: AlertRow
) -> None:
    add_route(world, "https://example.org/hook", kind="webhook")
    second = add_route(world, "chief@other.example")
    the_route(world).second_id = second.id
    look_after(world, alert)
    look_after(world, alert)
    assert owed_to(world) == [alert.route_id, second.id]


def test_the_second_route_has_quiet_hours_of_its_own(world: World, alert: AlertRow) -> None:
    second = add_route(world, "chief@other.example")
    second.quiet_from, second.quiet_to = "00:00", "23:59"
    the_route(world).second_id, alert.severity = second.id, Severity.WARNING
    look_after(world, alert)
    held = world.session.exec(select(AlertRow).where(AlertRow.route_id == second.id)).one()
    assert (held.due_at.hour, held.due_at.minute) == (23, 59)


def test_without_a_second_route_another_one_that_goes_elsewhere_is_found(
    world: World, alert: AlertRow
) -> None:
    add_route(world, "a@same.example")
    away = add_route(world, "b@other.example")
    add_route(world, "c@unconfirmed.example", confirmed_at=None)
    look_after(world, alert, other_example="gmail", unconfirmed_example="gmail")
    assert owed_to(world) == [alert.route_id, away.id]


def test_a_route_of_which_the_dns_tells_nothing_holds_up_none_behind_it(
    world: World, alert: AlertRow
) -> None:
    add_route(world, "a@silent.example")
    away = add_route(world, "b@other.example")

    def provider_of(domain: str) -> str:
        if domain == "silent.example":
            raise AgainLaterError(f"no answer about {domain}.")
        return "gmail" if domain == "other.example" else M365

    survive(
        world.session,
        alert_id=saved(alert.id),
        receivers=Receivers(provider_of, lambda provider: {provider}),
        alert_domain=DOMAIN,
        clock=world.clock,
    )
    assert owed_to(world) == [alert.route_id, away.id]
    assert len(the_twins(world)) == 3


def test_a_house_is_known_by_its_mail_servers() -> None:
    def known(name: str, *mx: str) -> ProviderFacts:
        return ProviderFacts(name, name, mx, None, {})

    facts = {
        "outlook": known("outlook", "olc.protection.outlook.com"),
        M365: known(M365, "mail.protection.outlook.com", "mx.microsoft"),
        "gmail": known("gmail", "google.com"),
    }
    assert same_house(M365, facts) == {"outlook", M365}
    assert same_house("nobody", facts) == {"nobody"}


def test_without_an_answer_of_the_dns_it_is_asked_again(world: World, alert: AlertRow) -> None:
    def silent(domain: str) -> str:
        raise AgainLaterError(f"no answer about {domain}.")

    with pytest.raises(AgainLaterError):
        survive(
            world.session,
            alert_id=saved(alert.id),
            receivers=Receivers(silent, lambda provider: {provider}),
            alert_domain=DOMAIN,
            clock=world.clock,
        )


def test_three_seeds_get_the_same_words_and_the_inbox_confirms_the_alert(
    world: World, alert: AlertRow
) -> None:
    look_after(world, alert)
    channel = Channel()
    send_all(world, channel)
    send_all(world, channel)
    assert channel.to == [f"seed{n}@mail.example" for n in (1, 2, 3)]
    assert {mail.message.subject for mail in channel.told} == {
        f"{alert.topic} for {the_route(world).address}"
    }
    assert len({mail.message_id for mail in channel.told}) == 3
    assert alert.arrival is Arrival.AWAITED
    look_for_all(world, Seeds(Role.INBOX))
    world.session.refresh(alert)
    assert alert.arrival is Arrival.SEEN


def test_what_goes_to_spam_at_our_seeds_is_unconfirmed_for_all_who_were_told_the_same(
    world: World, session: Session, alert: AlertRow
) -> None:
    look_after(world, alert)
    other = add_route(world, "a@same.example")
    session.refresh(alert)
    same = alert.model_dump(exclude={"id", "arrival"})
    twice = AlertRow(**same | {"route_id": other.id, "message_id": "<other@example.net>"})
    session.add(twice)
    session.commit()
    look_after(world, twice)
    assert len(the_twins(world)) == 3
    send_all(world, Channel())
    look_for_all(world, Seeds(Role.SPAM))
    rows = session.exec(select(AlertRow)).all()
    for row in rows:
        session.refresh(row)
    assert {row.arrival for row in rows} == {Arrival.UNCONFIRMED}


def test_silence_confirms_nothing_in_the_end(world: World, alert: AlertRow) -> None:
    look_after(world, alert)
    send_all(world, Channel())
    for rung, seeds in enumerate((Seeds(None), Seeds(None, MailboxBusyError("busy.")))):
        look_for_all(world, seeds, rung)
        world.session.refresh(alert)
        assert alert.arrival is Arrival.AWAITED
    look_for_all(world, Seeds(None), 2)
    world.session.refresh(alert)
    assert alert.arrival is Arrival.UNCONFIRMED


def test_a_twin_that_is_refused_tells_too_and_one_in_doubt_is_not_sent_again(
    world: World, alert: AlertRow
) -> None:
    look_after(world, alert)
    with pytest.raises(KeyboardInterrupt):
        send_all(world, Channel(KeyboardInterrupt()))
    world.session.rollback()
    channel = Channel(PersonNeededError("550 blocked."))
    send_all(world, channel)
    assert [twin.placement for twin in the_twins(world)] == [None, *[Placement.REJECTED] * 2]
    look_for_all(world, Seeds(Role.INBOX))
    world.session.refresh(alert)
    assert alert.arrival is Arrival.UNCONFIRMED


def test_a_mail_server_that_is_busy_gets_the_twin_later(world: World, alert: AlertRow) -> None:
    look_after(world, alert)
    with pytest.raises(AgainLaterError):
        send_all(world, Channel(AgainLaterError("busy.")))
    channel = Channel()
    send_all(world, channel)
    assert len(channel.told) == 3


@pytest.mark.parametrize(
    ("twins", "is_last", "told"),
    [
        ([INBOX, INBOX, SPAM], False, Arrival.SEEN),
        ([INBOX, Placement.TAB, None], False, Arrival.SEEN),
        ([INBOX, SPAM, SPAM], False, Arrival.UNCONFIRMED),
        ([INBOX, SPAM, None], False, Arrival.AWAITED),
        ([INBOX, SPAM, None], True, Arrival.UNCONFIRMED),
        ([None], True, Arrival.UNCONFIRMED),
    ],
)
def test_most_of_the_twins_decide(
    twins: list[Placement | None], is_last: bool, told: Arrival
) -> None:
    assert arrival(twins, is_last=is_last) is told


def test_an_organisation_without_seeds_there_asks_nothing(
    world: World, session: Session, alert: AlertRow
) -> None:
    for seed in session.exec(select(SeedRow)).all():
        seed.provider = "gmail"
        session.add(seed)
    look_after(world, alert)
    assert alert.arrival is Arrival.UNASKED
    assert session.exec(select(RouteRow)).all()
