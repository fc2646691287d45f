"""Pages for people who have no account: links in mail, and the public status of filters."""

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import Session

from monitor.signed_links import Purpose
from monitor.store.feed_tables import FilterStateRow
from monitor.store.incidents import append
from monitor.store.route_tables import RouteRow
from tests.browser.conftest import LINKS, Visit, accessibility_faults, is_wider_than
from tests.web.worlds import NOW, World, provider_incident

pytestmark = pytest.mark.real

Scheme = Literal["light", "dark"]
Addresses = Callable[[Callable[[World], None]], str]
ONE = "microsoft365/2026-03-01T18"
ANNA = "anna.with.a.long.name@marketing.northwind.example.org"
SENTENCES = {
    "normal": "Mail to {} arrives as usual.",
    "degraded": "{} delivers mail late since 2026-03-02 04:00 UTC.",
    "wrong": "{} keeps legitimate mail that links to lnkd.in from its readers since "
    "2026-03-01 18:00 UTC.",
    "unknown": "Too few senders wrote to {} lately to tell.",
}
HISTORIES = {
    "microsoft365": ("Microsoft 365", ["normal"] * 60 + ["degraded"] * 3 + ["wrong"]),
    "gmail": ("Gmail", ["unknown"] * 10 + ["normal"] * 77),
    "yahoo": ("Yahoo", ["normal"] * 50 + ["wrong"] * 2 + ["normal"] * 20 + ["degraded"]),
    "icloud": ("iCloud", ["unknown"] * 30),
}


def public(world: World) -> None:
    """Ninety days of states, an open incident, and a recipient who was asked."""
    world.begin(providers=())
    with Session(world.engine) as session:
        for provider, (name, states) in HISTORIES.items():
            for back, state in enumerate(reversed(states)):
                has_figures = state != "unknown"
                session.add(
                    FilterStateRow(
                        provider=provider,
                        at=NOW - timedelta(days=back),
                        state=state,
                        senders=7 if has_figures else 0,
                        n=84 if has_figures else 0,
                        n_eff=31.5 if has_figures else 0,
                        lost=0.041 if has_figures else None,
                        low=0.01 if has_figures else None,
                        high=0.12 if has_figures else None,
                        sentence=SENTENCES[state].format(name),
                    )
                )
        for event in provider_incident(["t0001"]):
            append(session, event)
        session.add(RouteRow(id=1, organisation_id=1, address=ANNA, timezone="Europe/Berlin"))
        session.commit()


def path(purpose: Purpose) -> str:
    about = ONE if purpose in {Purpose.ACKNOWLEDGE, Purpose.SNOOZE} else ANNA
    return f"/l/{purpose}/{LINKS.make(purpose, 1, about)}"


PAGES = ["/status", *map(path, Purpose)]
NAMES = ["status", *map(str, Purpose)]


@pytest.fixture
def open_page(visit: Visit, address_of: Addresses) -> Visit:
    return lambda path, **settings: visit(address_of(public) + path, **settings)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_no_public_page_has_an_accessibility_fault(
    open_page: Visit, path: str, scheme: Scheme
) -> None:
    page, wrong = open_page(path, color_scheme=scheme)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert accessibility_faults(page) == []
    assert wrong == []


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_no_public_page_is_wider_than_its_window(open_page: Visit, path: str, width: int) -> None:
    page, _ = open_page(path, width=width)
    assert not is_wider_than(page, width)


def test_a_link_is_followed_by_keyboard_without_scripts(open_page: Visit) -> None:
    page, wrong = open_page(path(Purpose.SNOOZE), java_script_enabled=False)
    page.get_by_label("for 3 days").check()
    press(page, "Put off")
    expect(page.get_by_role("heading", level=1)).to_contain_text("before Thu 5 March, 09:00")
    assert wrong == []


def press(page: Page, name: str) -> None:
    button = page.get_by_role("button", name=name)
    button.focus()
    page.keyboard.press("Enter")


def test_the_history_is_told_in_words_too(open_page: Visit) -> None:
    page, _ = open_page("/status")
    expect(page.get_by_role("img", name="wrong 2, degraded 1, normal 70")).to_be_visible()
