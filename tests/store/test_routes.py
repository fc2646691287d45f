"""Routes: what may be entered, who agreed, and what they keep secret."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session
from standardwebhooks import Webhook

from monitor.core.errors import BadInputError, NotFoundError, PersonNeededError
from monitor.core.routes import About, Audience, Severity
from monitor.store import route_secrets, routes
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.routes import Choices
from monitor.store.secrets import Vault, new_key
from monitor.store.tables import OrganisationRow
from monitor.store.verdict_tables import AlertRow

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
KEY = new_key()
VAULT = Vault([KEY])
HOOK = "https://hooks.example.org/secret-path"


@pytest.fixture
def owner(session: Session) -> int:
    row = OrganisationRow(name="Ours")
    session.add_all([row, OrganisationRow(name="Theirs")])
    session.flush()
    return saved(row.id)


def add(session: Session, owner: int, kind: str = "email", to: str = "a@b.example") -> RouteRow:
    return routes.add(session, owner, kind, to, now=NOW)


@pytest.mark.parametrize(
    ("kind", "address", "words"),
    [
        ("pigeon", "a@b.example", ("kind", "'pigeon'", "email, webhook, apprise")),
        ("email", "nobody", ("address", "'nobody'", "name@example.com")),
        ("webhook", "ftp://a.example/secret", ("address", "'ftp'", "https://HOST/PATH")),
        ("webhook", "https://u:secret@a.example/", ("address", "'https'", "without blanks")),
        ("webhook", "https://a.example/" + "secret" * 500, ("https://a.example/...", "too long")),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(
    kind: str, address: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(BadInputError) as caught:
        routes.checked_address(kind, address)
    assert [word for word in words if word not in str(caught.value)] == []
    assert "secret" not in str(caught.value)


def test_what_is_chosen_is_taken_or_refused_as_a_whole(session: Session, owner: int) -> None:
    route, second = add(session, owner), add(session, owner, "webhook", HOOK)
    stranger = routes.add(session, owner + 1, "email", "a@b.example", now=NOW)
    good = Choices(
        name="Night shift",
        audience="esp",
        least="critical",
        causes=("provider", "esp", "provider"),
        timezone="Europe/Berlin",
        quiet="22:00-07:00",
        digest="daily",
        remind_hours=4,
        second=second.id,
    )
    routes.choose(session, route, good)
    before = route.model_dump()
    assert (route.audience, route.least) == (Audience.ESP, Severity.CRITICAL)
    assert (route.quiet_from, route.quiet_to, route.causes) == (
        "22:00",
        "07:00",
        ["provider", "esp"],
    )
    for wrong, words in (
        (Choices(name="x", audience="all"), ("audience", "'all'", "marketer")),
        (Choices(name="x", least="urgent"), ("least", "info, warning, critical")),
        (Choices(name="x", causes=("weather",)), ("causes", "'weather'", "provider_feature")),
        (Choices(name="x", timezone="Mars/Olympus"), ("timezone", "Europe/Berlin")),
        (Choices(name="x", quiet="at night"), ("quiet", "22:00-07:00")),
        (Choices(name="x", quiet="25:00-07:00"), ("quiet_from", "25:00")),
        (Choices(name="x", digest="hourly"), ("digest", "daily")),
        (Choices(name="x", remind_hours=float("nan")), ("remind_hours", "0 for never")),
        (Choices(name="a\r\nb"), ("name", "line break")),
        (Choices(name="x", second=route.id), ("second", "this route itself")),
    ):
        with pytest.raises(BadInputError) as caught:
            routes.choose(session, route, wrong)
        assert [word for word in words if word not in str(caught.value)] == []
    with pytest.raises(NotFoundError):
        routes.choose(session, route, Choices(name="x", second=stranger.id))
    assert route.model_dump() == before
    routes.choose(session, route, Choices(quiet="", second=0))
    assert (route.quiet_from, route.second_id, route.name) == ("", None, "Night shift")


def test_a_route_is_confirmed_once_and_it_is_known_by_whom(session: Session, owner: int) -> None:
    route = add(session, owner)
    assert route.confirmed_at is None
    assert routes.confirm(session, route, routes.BY_LINK, now=NOW)
    assert not routes.confirm(session, route, routes.BY_HAND, now=NOW + timedelta(hours=1))
    assert (route.confirmed_at, route.confirmed_by) == (NOW, "link")
    with pytest.raises(BadInputError, match=f"is route {route.id} already"):
        add(session, owner)


def test_a_removed_route_is_told_nothing_and_comes_back_as_a_new_one(
    session: Session, owner: int
) -> None:
    route, other = add(session, owner, "webhook", HOOK), add(session, owner)
    route_secrets.keep_signing_secrets(route, VAULT, route_secrets.new_signing_secret())
    routes.confirm(session, route, routes.BY_TRIAL, now=NOW)
    routes.choose(session, other, Choices(second=route.id))
    owed = AlertRow(
        about=About.TRIAL,
        incident="trial",
        topic="1",
        route_id=saved(route.id),
        message_id="<1@a.example>",
        created_at=NOW,
        due_at=NOW,
    )
    session.add(owed)
    session.flush()

    routes.remove(session, route, now=NOW)
    session.commit()

    assert (owed.dead_at, owed.error) == (NOW, routes.REMOVED)
    assert (other.second_id, route.secret, route.suspended_at) == (None, b"", NOW)
    assert routes.of_organisation(session, owner) == [other]
    with pytest.raises(NotFoundError):
        routes.find(session, owner, saved(route.id))
    again = add(session, owner, "webhook", HOOK)
    assert (again.id, again.confirmed_at, again.suspended_at) == (route.id, None, None)
    assert routes.resume(session, again) is False


def test_of_two_secrets_the_new_one_stands_first_until_the_old_one_ends(
    session: Session, owner: int
) -> None:
    route = add(session, owner, "webhook", HOOK)
    first = route_secrets.new_signing_secret()
    route_secrets.keep_signing_secrets(route, VAULT, first)
    second = route_secrets.rotate(route, VAULT)
    assert route_secrets.told_with(route, VAULT) == (second, first)
    with pytest.raises(BadInputError, match="--finish"):
        route_secrets.rotate(route, VAULT)
    assert route_secrets.finish_rotation(route, VAULT)
    assert not route_secrets.finish_rotation(route, VAULT)
    assert route_secrets.told_with(route, VAULT) == (second,)
    assert Webhook(second).sign("id", NOW, "x") != Webhook(first).sign("id", NOW, "x")
    assert second.encode() not in route.secret
    fresh = new_key()
    both, new = Vault([fresh, KEY]), Vault([fresh])
    assert route_secrets.closed(session, new) == 1
    assert route_secrets.reseal(session, new) == (0, [f"route:{route.id}"])
    assert route_secrets.reseal(session, both) == (1, [])
    assert route_secrets.told_with(route, new) == (second,)


def test_a_secret_opens_for_its_own_route_only(session: Session, owner: int) -> None:
    hook, chat = add(session, owner, "webhook", HOOK), add(session, owner, "apprise", "slack://1")
    route_secrets.keep_url(chat, VAULT, "slack://a/b/c")
    assert route_secrets.told_with(chat, VAULT) == ("slack://a/b/c",)
    assert route_secrets.told_with(hook, VAULT) == ()
    hook.secret = chat.secret
    with pytest.raises(PersonNeededError, match="rows were mixed up"):
        route_secrets.told_with(hook, VAULT)
    with pytest.raises(BadInputError, match="is no webhook"):
        route_secrets.rotate(chat, VAULT)
