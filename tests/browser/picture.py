"""Take the pictures of the documentation from a running dashboard.

python -m tests.browser.picture http://127.0.0.1:8025 docs/images
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS


def show_overview(page: Page, address: str) -> None:
    answer = page.goto(address)
    if answer is None or answer.status != 200:
        raise SystemExit(f"{address} does not show a dashboard")


def show_incident(page: Page, address: str) -> None:
    """The newest incident that is a provider's fault."""
    show_overview(page, f"{address.rstrip('/')}/incidents")
    page.locator("li", has_text="The provider’s fault").get_by_role("link").first.click()


def show_test(page: Page, address: str) -> None:
    """The newest test of that incident, with the story of one copy unfolded."""
    show_incident(page, address)
    page.locator("#tests li a").first.click()
    page.locator("#by-provider tbody a").first.click()
    page.wait_for_url("**provider=**")
    page.locator("details.copy summary").first.click()
    page.evaluate("scrollTo(0, 0)")


EDGE = 8  # pixels below the last thing that is shown


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, and the way to what it shows."""

    file: str
    show: Callable[[Page, str], None]
    until: str = ""  # the last thing that is shown; nothing for what one window holds
    width: int = 1440
    height: int = 900
    scheme: Literal["light", "dark"] = "light"


PICTURES = (
    Picture("overview.png", show_overview, until="#providers .legend"),
    Picture("incident.png", show_incident, until="#evidence"),
    Picture("test.png", show_test, until="#copies"),
    Picture("overview-dark.png", show_overview, until="#providers .legend", scheme="dark"),
    Picture("overview-phone.png", show_overview, width=390, height=844),
)


def _height(page: Page, picture: Picture) -> int:
    if not picture.until:
        return picture.height
    box = page.locator(picture.until).first.bounding_box()
    if box is None:
        raise SystemExit(f"{page.url} does not show {picture.until}")
    return round(box["y"] + box["height"]) + EDGE


def take(browser: Browser, address: str, folder: Path) -> list[Path]:
    """Write the pictures of the dashboard at *address* into *folder*; return their files."""
    files = []
    for picture in PICTURES:
        context = browser.new_context(
            viewport={"width": picture.width, "height": picture.height},
            color_scheme=picture.scheme,
        )
        page = context.new_page()
        picture.show(page, address)
        files.append(folder / picture.file)
        page.set_viewport_size({"width": picture.width, "height": _height(page, picture)})
        page.screenshot(path=files[-1])
        context.close()
    return files


def main() -> None:
    address, folder = sys.argv[1], Path(sys.argv[2])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        take(browser, address, folder)
        browser.close()


if __name__ == "__main__":
    main()
