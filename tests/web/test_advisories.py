"""Advisories on a page, and one that a person enters there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import Session

from monitor.store.advisories import one
from tests.web.conftest import Site, build
from tests.web.test_outbox import troubled

OWN = {"Sec-Fetch-Site": "same-origin"}
FORM = {"id": "EX1227432", "title": "Links in mail are <b>blocked</b>"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(build(troubled, tmp_path))
    yield made
    made.world.engine.dispose()


def is_known(site: Site) -> bool:
    with Session(site.world.engine) as session:
        return one(session, "EX1227432") is not None


def test_an_advisory_that_a_person_knows_of_is_kept_and_listed(site: Site) -> None:
    answer = site.client.post("/advisories", data=FORM, headers=OWN)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/advisories")
    text = site.visit("/advisories").section("Advisories of ninety days").text
    assert "EX1227432" in text
    assert "Links in mail are <b>blocked</b>" in text
    assert "Microsoft 365" in text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_site_enters_nothing(site: Site, headers: dict[str, str]) -> None:
    assert site.client.post("/advisories", data=FORM, headers=headers).status_code == 403
    assert not is_known(site)


def test_an_old_browser_that_names_our_origin_may_enter(site: Site) -> None:
    headers = {"Origin": "http://localhost"}
    assert site.client.post("/advisories", data=FORM, headers=headers).status_code == 303
    assert is_known(site)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "<i>"),
        ("id", ""),
        ("provider", "nobody"),
        ("published", "soon"),
        ("title", "x" * 301),
    ],
)
def test_what_cannot_be_meant_is_said_and_the_rest_is_kept_in_the_form(
    site: Site, field: str, value: str
) -> None:
    answer = site.client.post("/advisories", data=FORM | {field: value}, headers=OWN)

    assert answer.status_code == 400
    assert f"{field}: " in answer.text
    assert "Links in mail are &lt;b&gt;blocked" in answer.text or field == "title"
    assert not is_known(site)


def test_where_nothing_is_known_it_says_so(site: Site) -> None:
    assert "None is known" in site.visit("/advisories").text
