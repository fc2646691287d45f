"""A page that is left open keeps itself up to date, and never moves under its reader."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served
from tests.web.worlds import NOW, World, provider_incident, well

pytestmark = pytest.mark.real


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A healthy world of its own, because these tests write into it."""

    def healthy(world: World) -> None:
        world.begin()
        world.rounds(well, hours=6)

    served = Served(healthy, tmp_path_factory.mktemp("refresh"))
    yield served
    served.stop()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    page = context.new_page()
    page.clock.install()
    page.goto(served.address)
    yield page
    context.close()


def let_it_refresh(page: Page) -> None:
    with page.expect_response(lambda answer: answer.request.resource_type == "fetch"):
        page.clock.fast_forward(21_000)


def test_a_new_incident_appears_and_is_announced(page: Page, served: Served) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("All 8 providers deliver normally.")
    served.world.tell(*provider_incident(served.world.tests))
    let_it_refresh(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Microsoft 365 is quarantining")
    expect(page.get_by_role("status")).to_contain_text("Microsoft 365 is quarantining")


def test_scroll_and_focus_stay_where_they_are(page: Page, served: Served) -> None:
    link = page.locator("#tests").get_by_role("link", name="Adatum news").first
    link.focus()
    before = page.evaluate("scrollY")
    assert before > 0
    served.world.send("contoso", NOW - timedelta(minutes=1), well, name="Brand new")
    let_it_refresh(page)
    expect(page.locator("#recent")).to_be_visible()
    expect(link).to_be_focused()
    assert page.evaluate("scrollY") == before


def test_what_is_not_in_use_changes_while_the_rest_is_read(page: Page, served: Served) -> None:
    page.locator("#numbers summary").click()
    served.world.send("contoso", NOW - timedelta(minutes=1), well, name="Brand new")
    let_it_refresh(page)
    expect(page.locator("#tests")).to_contain_text("Brand new")
    expect(page.locator("#numbers")).to_have_attribute("open", "")


def test_a_page_that_nothing_has_changed_on_is_not_sent_again(page: Page) -> None:
    let_it_refresh(page)
    with page.expect_response(lambda answer: answer.request.resource_type == "fetch") as answer:
        page.clock.fast_forward(21_000)
    assert answer.value.status == 304
