"""The pages as people meet them: seen, read out, on a telephone, by keyboard, without scripts."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visit, accessibility_faults, is_wider_than, unfold
from tests.browser.picture import PICTURES, take
from tests.web.test_outbox import troubled
from tests.web.worlds import World, hostile, silent, story

pytestmark = pytest.mark.real

Scheme = Literal["light", "dark"]
Addresses = Callable[[Callable[[World], None]], str]


def quiet(world: World) -> None:
    world.begin(providers=())


def no_data(world: World) -> None:
    world.begin()
    world.rounds(silent, hours=4)


PAGES = [
    (story, "/", "Microsoft 365 is quarantining"),
    (story, "/tests", "Tests"),
    (story, "/tests/t0098?provider=microsoft365", "Contoso news"),
    (story, "/incidents", "Incidents"),
    (story, "/incidents/microsoft365/2026-03-01T18", "Microsoft 365 is quarantining"),
    (quiet, "/", "Nothing has been tested yet"),
    (no_data, "/", "No data yet"),
    (troubled, "/outbox", "Outbox"),
    (troubled, "/advisories", "What providers admit"),
    (hostile, "/", "<script>alert(1)</script>"),
    (hostile, "/tests/t0001", "<script>alert(1)</script>"),
]


@pytest.fixture
def open_page(visit: Visit, address_of: Addresses) -> Visit:
    """Open a page of a world; return it with a list that fills with what went wrong."""
    return lambda make, path, **settings: visit(address_of(make) + path, **settings)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("make", "path", "heading"), PAGES)
def test_no_page_has_an_accessibility_fault(
    open_page: Visit, make: Callable[[World], None], path: str, heading: str, scheme: Scheme
) -> None:
    page, wrong = open_page(make, path, color_scheme=scheme)
    expect(page.get_by_role("main")).to_contain_text(heading)
    unfold(page)
    assert accessibility_faults(page) == []
    assert wrong == []


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize(("make", "path", "heading"), PAGES)
def test_no_page_is_wider_than_its_window(
    open_page: Visit, make: Callable[[World], None], path: str, heading: str, width: int
) -> None:
    page, _ = open_page(make, path, width=width)
    expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    unfold(page)
    assert not is_wider_than(page, width)


def test_text_can_be_enlarged_to_twice_its_size(open_page: Visit) -> None:
    """WCAG 1.4.4 and 1.4.10: at 200 % on a small screen nothing runs out of it."""
    page, _ = open_page(story, "/", width=640)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert not is_wider_than(page, 640)


def test_the_keyboard_reaches_everything_and_shows_where_it_is(open_page: Visit) -> None:
    page, _ = open_page(story, "/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    expect(page.locator(":focus")).to_be_in_viewport()
    seen = []
    for _ in range(14):
        page.keyboard.press("Tab")
        style = page.locator(":focus").evaluate(
            "e => [e.textContent.trim(), getComputedStyle(e).outlineStyle,"
            " parseFloat(getComputedStyle(e).outlineWidth)]"
        )
        seen.append(style)
    assert [name for name, *_ in seen[:4]] == ["Seedwatch", "Overview", "Tests", "Incidents"]
    assert {(kind, width >= 2) for _, kind, width in seen} == {("solid", True)}


def test_skipping_leads_into_the_content(open_page: Visit) -> None:
    page, _ = open_page(story, "/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_everything_works_without_scripts(open_page: Visit) -> None:
    page, wrong = open_page(story, "/", java_script_enabled=False)
    page.get_by_role("link", name="See the evidence", exact=True).first.click()
    expect(page.get_by_role("heading", name="Who is hit")).to_be_visible()
    page.get_by_role("link", name="Contoso news").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Contoso news")
    page.get_by_role("link", name="Microsoft 365", exact=True).click()
    page.locator("details.copy summary").first.click()
    expect(page.locator(".timeline").first).to_contain_text("handed over")
    assert wrong == []


def test_nothing_is_asked_of_another_machine(open_page: Visit, address_of: Addresses) -> None:
    page, _ = open_page(hostile, "/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.goto(address_of(hostile) + "/tests/t0001")
    assert asked
    assert [url for url in asked if not url.startswith(address_of(hostile))] == []


def test_the_first_screen_answers_where_whose_fault_and_what_to_do(open_page: Visit) -> None:
    """What a person sees without scrolling, on a common screen."""
    page, _ = open_page(story, "/")
    for text in ("The provider’s fault, not yours", "What to do", "See the evidence"):
        expect(page.get_by_text(text).first).to_be_in_viewport()
    expect(page.get_by_role("heading", name="Providers", exact=True)).to_be_in_viewport()


def test_the_pictures_of_the_documentation_can_be_taken(
    browser: Browser, address_of: Addresses, tmp_path: Path
) -> None:
    files = take(browser, address_of(story), tmp_path)
    assert [file.name for file in files] == [picture.file for picture in PICTURES]
    assert {file.read_bytes()[:4] for file in files} == {b"\x89PNG"}
