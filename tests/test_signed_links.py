"""Links that let their reader do one thing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.clock import ManualClock
from monitor.signed_links import BadLinkError, ExpiredLinkError, Purpose, SignedLinks, Subject
from monitor.store.secrets import new_key

KEY, OTHER = new_key(), new_key()
BASE = "https://seedwatch.example.org"
INCIDENT = "microsoft365/2026-03-01T18"


@pytest.fixture
def links(clock: ManualClock) -> SignedLinks:
    return SignedLinks([KEY], BASE, clock)


@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_tells_what_it_was_made_for(links: SignedLinks, purpose: Purpose) -> None:
    token = links.make(purpose, 7, INCIDENT)
    assert links.read(purpose, token) == Subject(7, INCIDENT)
    assert links.url(purpose, 7, INCIDENT) == f"{BASE}/l/{purpose}/{token}"
    assert "/" not in token


def test_a_link_serves_one_purpose_only(links: SignedLinks) -> None:
    for made in Purpose:
        for asked in set(Purpose) - {made}:
            with pytest.raises(BadLinkError):
                links.read(asked, links.make(made, 7, INCIDENT))


@pytest.mark.parametrize(
    ("purpose", "days"), [(Purpose.ACKNOWLEDGE, 14), (Purpose.SNOOZE, 14), (Purpose.CONFIRM, 7)]
)
def test_a_link_expires(
    links: SignedLinks, clock: ManualClock, purpose: Purpose, days: int
) -> None:
    token = links.make(purpose, 7, INCIDENT)
    clock.sleep(timedelta(days=days))
    assert links.read(purpose, token) == Subject(7, INCIDENT)
    clock.sleep(timedelta(hours=2))
    with pytest.raises(ExpiredLinkError):
        links.read(purpose, token)


def test_whoever_wants_no_more_mail_can_say_so_years_later(
    links: SignedLinks, clock: ManualClock
) -> None:
    token = links.make(Purpose.UNSUBSCRIBE, 7, "a@example.org")
    clock.sleep(timedelta(days=4000))
    assert links.read(Purpose.UNSUBSCRIBE, token) == Subject(7, "a@example.org")


def test_while_keys_are_changed_older_links_are_taken(clock: ManualClock) -> None:
    before, after = (SignedLinks(keys, BASE, clock) for keys in ([KEY], [OTHER, KEY]))
    assert after.read(Purpose.ACKNOWLEDGE, before.make(Purpose.ACKNOWLEDGE, 7, INCIDENT))
    with pytest.raises(BadLinkError):
        before.read(Purpose.ACKNOWLEDGE, after.make(Purpose.ACKNOWLEDGE, 7, INCIDENT))


def test_a_link_of_another_installation_is_refused(links: SignedLinks, clock: ManualClock) -> None:
    with pytest.raises(BadLinkError):
        links.read(Purpose.CONFIRM, SignedLinks([OTHER], BASE, clock).make(Purpose.CONFIRM, 7, ""))


def test_a_link_holds_no_key(links: SignedLinks) -> None:
    assert KEY not in links.make(Purpose.CONFIRM, 7, "a@example.org")
    assert KEY not in repr(links)


def test_a_mail_that_is_written_again_has_the_same_link(
    links: SignedLinks, clock: ManualClock
) -> None:
    clock.sleep(timedelta(minutes=1))
    token = links.make(Purpose.ACKNOWLEDGE, 7, INCIDENT)
    clock.sleep(timedelta(minutes=30))
    assert links.make(Purpose.ACKNOWLEDGE, 7, INCIDENT) == token


def test_a_link_that_was_cut_off_or_changed_is_refused(links: SignedLinks) -> None:
    token = links.make(Purpose.ACKNOWLEDGE, 7, INCIDENT)
    changed = [token[:n] for n in range(0, len(token), 7)]
    changed += [token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :] for n in range(9)]
    for each in [*changed, token + "A", token * 50, ".", "ü", "\ud800", "a" * 100_000]:
        with pytest.raises(BadLinkError):
            links.read(Purpose.ACKNOWLEDGE, each)


@given(st.text())
def test_no_text_is_taken_for_a_link_and_none_breaks_the_reading(text: str) -> None:
    links = SignedLinks([KEY], BASE, ManualClock(datetime(2026, 3, 2, tzinfo=UTC)))
    with pytest.raises(BadLinkError):
        links.read(Purpose.CONFIRM, text)
