"""Take the pictures of the documentation from a running dashboard.

python -m tests.browser.picture http://127.0.0.1:8025 docs/images
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS

# file name, window, light or dark, how much of the page
PICTURES = (
    ("overview.png", 1200, "light", 1000),
    ("overview-dark.png", 1200, "dark", 1000),
    ("overview-phone.png", 390, "light", 844),
)


def take(browser: Browser, address: str, folder: Path) -> list[Path]:
    """Write the pictures of the overview at *address* into *folder*; return their files."""
    files = []
    for name, width, scheme, height in PICTURES:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = context.new_page()
        answer = page.goto(address)
        if answer is None or answer.status != 200:
            raise SystemExit(f"{address} does not show a dashboard")
        files.append(folder / name)
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
