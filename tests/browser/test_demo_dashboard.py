"""The demo as somebody meets it who has just typed `make demo`: its dashboard, in a browser."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from monitor.demo.cast import BLAMED_LINK, CAST, HIT, IN_TROUBLE
from tests.browser.conftest import Visit, accessibility_faults, is_wider_than, unfold

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ANNOUNCED = "The dashboard: "
WITHIN_S = 240.0
PROVIDERS = {
    "Corporate gateway",
    "Gmail",
    "GMX",
    "Google Workspace",
    "iCloud",
    "Microsoft 365",
    "Outlook.com",
    "Yahoo",
}
PAGES = ("overview", "tests", "incidents", "microsoft", "northwind", "test", "nowhere")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Play the demo to its end; return the address that it prints. Ctrl-C ends it."""
    process = subprocess.Popen(
        # A shell's background job, which a test run may be, ignores Ctrl-C: take it back.
        ["env", "--default-signal=INT", sys.executable, "-m", "monitor", "demo", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path_factory.mktemp("demo"),
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
    )
    too_late = Timer(WITHIN_S, process.kill)
    too_late.start()
    try:
        yield _announced(process)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate()
        assert (process.returncode, said.strip()) == (0, "Good-bye.")
    finally:
        too_late.cancel()
        process.kill()
        process.wait()


def _announced(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line)
        if line.startswith(ANNOUNCED):
            return line.removeprefix(ANNOUNCED).split()[0]
    pytest.fail("the demo ended without a dashboard:\n" + "".join(told[-40:]))


@pytest.fixture(scope="module")
def paths(demo: str, browser: Browser) -> dict[str, str]:
    """Where each kind of page is; found by following links, as a person does."""
    page = browser.new_page()
    found = {"overview": "", "tests": "tests", "incidents": "incidents", "nowhere": "no/such/page"}
    page.goto(f"{demo}incidents")
    for name, words in (("microsoft", "Microsoft 365"), ("northwind", IN_TROUBLE)):
        found[name] = _target(page.get_by_role("main").get_by_role("link", name=words))
    page.goto(f"{demo}tests")
    found["test"] = _target(page.get_by_role("main").locator("tbody a"))
    page.close()
    return found


def _target(link: Locator) -> str:
    return (link.first.get_attribute("href") or "").removeprefix("/")


@pytest.fixture
def overview(demo: str, visit: Visit) -> Page:
    return visit(demo)[0]


@pytest.fixture
def incident(demo: str, visit: Visit, paths: dict[str, str]) -> Page:
    """The page of what happened at Microsoft 365."""
    return visit(demo + paths["microsoft"])[0]


def part(page: Page, title: str) -> Locator:
    """The part of an incident's evidence that is headed *title*."""
    return page.locator(".part", has=page.get_by_role("heading", name=title))


def test_the_first_screen_says_whose_mail_is_in_trouble_and_what_to_do(overview: Page) -> None:
    heading = overview.get_by_role("heading", level=1)
    expect(heading).to_contain_text(f"Mail from {IN_TROUBLE} goes to spam at all 8 providers")
    for words in ("This sender’s own mail", "Pause this sender’s campaigns", "See the evidence"):
        expect(overview.get_by_text(words).first).to_be_in_viewport()


def test_the_first_screen_says_that_microsofts_fault_is_over(overview: Page) -> None:
    over = overview.locator("article", has_text="Microsoft 365")
    expect(over).to_contain_text("The provider’s fault, not yours")
    expect(over).to_contain_text(f"Mail that links to {BLAMED_LINK} at Microsoft 365 is normal")
    expect(over.get_by_role("heading")).to_be_in_viewport()


def test_every_page_says_that_this_is_a_demo_in_lab_time(overview: Page) -> None:
    banner = overview.locator(".banner")
    expect(banner).to_contain_text("simulated providers")
    expect(banner).to_contain_text("lab time")


def test_each_of_the_eight_providers_has_its_line(overview: Page) -> None:
    names = overview.locator("#providers tbody th .name").all_text_contents()
    assert len(names) == 8
    assert set(names) == PROVIDERS


def test_all_providers_are_normal_in_the_end_and_microsoft_365_has_been_in_trouble(
    overview: Page,
) -> None:
    expect(overview.locator("#providers tbody th .state")).to_have_text(["normal"] * 8)
    first = overview.locator("#providers .grid tbody tr").first
    expect(first).to_contain_text("Microsoft 365")
    expect(first.get_by_role("link", name="incident over")).to_be_visible()


def test_what_was_removed_after_delivery_stands_out_at_microsoft_365_only(overview: Page) -> None:
    row = overview.locator("#providers .grid tbody tr", has_text="after delivery")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Microsoft 365")
    expect(row.locator(".removed")).to_be_visible()


def test_the_alerts_that_were_sent_are_listed(overview: Page) -> None:
    alerts = overview.locator("#alerts")
    expect(alerts).to_contain_text("Microsoft 365 delivers normally again")
    expect(alerts).to_contain_text("Microsoft 365, not you")
    expect(alerts).to_contain_text("by email to northwind@inbox.lab.example")
    # One line for all that were told the same side by side: many alerts, few lines.
    assert 3 <= alerts.locator("li").count() <= 5


def test_the_incident_says_how_far_ahead_of_the_advisory_it_was(incident: Page) -> None:
    expect(incident.locator("#verdict")).to_contain_text("Ahead of MO255463")
    said = incident.locator("#advisories")
    expect(said).to_contain_text("What Microsoft 365 said")
    lead = said.locator("p", has_text="before MO255463").inner_text()
    told = re.search(r"(\d+) h \d+ min before MO255463", lead)
    assert told
    assert 6 <= int(told[1]) <= 9


def test_the_incident_shows_who_is_hit_and_who_is_spared(incident: Page) -> None:
    for title, players in (("Who is hit", HIT), ("Who is spared", set(CAST) - set(HIT))):
        rows = part(incident, title).locator("tbody th")
        expect(rows).to_have_count(len(players))
        told = " ".join(rows.all_text_contents())
        assert [p.name for p in players if p.name not in told or p.domain not in told] == []


def test_the_incident_explains_why_a_spared_sender_does_not_arrive_either(incident: Page) -> None:
    row = part(incident, "Who is spared").locator("tr", has_text=IN_TROUBLE)
    row.get_by_role("link", name="has trouble of its own").click()
    expect(incident.get_by_role("heading", level=1)).to_contain_text(f"Mail from {IN_TROUBLE}")


def test_the_same_mail_elsewhere_speaks_for_the_sender(incident: Page) -> None:
    controls = part(incident, "Controls").locator("tbody th")
    told = " ".join(controls.all_text_contents())
    assert [name for name in PROVIDERS - {"Microsoft 365"} if name not in told] == []


def test_the_alerts_of_the_incident_went_to_those_it_hit(incident: Page) -> None:
    assert 2 <= incident.locator("#alerts li").count() <= 3  # the third: more senders are hit
    expect(incident.locator("#alerts li").first).to_contain_text("and 3 more")


def test_a_test_tells_copy_by_copy_how_mail_was_taken_back(overview: Page) -> None:
    """From the list of tests, page by page, to one that was delivered and then removed."""
    overview.get_by_role("link", name="Tests", exact=True).click()
    before = overview.locator("tr", has_text=HIT[0].name).filter(has_text="2 Mar 2026, 14:00")
    while not before.count():
        overview.get_by_role("link", name="Older tests").click()
    before.get_by_role("link").click()
    expect(overview.locator("#outcome")).to_contain_text(
        "copies arrived; 4 were removed after delivery at Microsoft 365"
    )
    overview.get_by_role("link", name="Microsoft 365", exact=True).click()
    overview.wait_for_url("**provider=microsoft365**")
    copy = overview.locator("details.copy").first
    copy.locator("summary").click()
    expect(copy.locator("summary")).to_contain_text("removed after delivery")
    for moment in ("handed over", "seen in the inbox", "removed after delivery"):
        expect(copy.locator(".timeline")).to_contain_text(moment)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_of_the_demo_has_an_accessibility_fault(
    demo: str, visit: Visit, paths: dict[str, str], name: str, scheme: str
) -> None:
    status = 404 if name == "nowhere" else 200
    page, wrong = visit(demo + paths[name], status=status, color_scheme=scheme)
    unfold(page)
    assert accessibility_faults(page) == []
    # The browser itself notes a page that is not there.
    assert [words for words in wrong if status == 200 or "404" not in words] == []


@pytest.mark.parametrize("name", PAGES)
def test_no_page_of_the_demo_is_wider_than_a_telephone(
    demo: str, visit: Visit, paths: dict[str, str], name: str
) -> None:
    page, _ = visit(demo + paths[name], width=360, status=404 if name == "nowhere" else 200)
    unfold(page)
    assert not is_wider_than(page, 360)
