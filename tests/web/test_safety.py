"""Strangers' words stay words, and nothing leaves this machine."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.placements import Placement
from monitor.web.evidence import findings
from monitor.web.filters import clean, foreign, percent, percent_range
from tests.web.conftest import STARTS, Make, Site
from tests.web.worlds import GOOD_FACTS, HOUR, NOW, World, hostile, story

Sites = Callable[[Make], Site]
LOADING = ("src", "href", "srcset", "action", "poster", "data", "formaction", "xlink:href")


@pytest.mark.parametrize("make", [story, hostile])
def test_no_page_names_an_address_outside_the_machine(site_of: Sites, make: Make) -> None:
    for path, page in site_of(make).walk().items():
        for element in page.all("*"):
            for name in LOADING:
                target = element.attributes.get(name, "/")
                is_ours = target.startswith(("/", "#")) and not target.startswith("//")
                assert is_ours, f"{path}: {name}={target}"


def test_what_strangers_write_never_becomes_markup(site_of: Sites) -> None:
    pages = site_of(hostile).walk().items()
    assert any("<script>alert(1)</script>" in page.text for _, page in pages)
    for path, page in pages:
        scripts = page.all("script")
        assert len(scripts) == 1, path
        assert "alert" not in scripts[0].text
        assert page.all("img") == [], path
        for element in page.all("*"):
            wild = [n for n in element.attributes if n.startswith("on") or n == "style"]
            assert wild == [], f"{path}: {element.tag} {wild}"


def test_hostile_texts_break_no_page(site_of: Sites) -> None:
    paths = list(site_of(hostile).walk())
    answers = {path: site_of(hostile).client.get(path).status_code for path in paths}
    assert answers.pop("/nothing/here") == 404
    assert set(answers.values()) == {200}
    assert any(path.startswith("/incidents/") for path in answers)


def test_marks_that_turn_the_writing_direction_are_not_shown(site_of: Sites) -> None:
    for page in site_of(hostile).walk().values():
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00]", page.text)


def test_braces_in_a_strangers_words_are_left_alone(site_of: Sites) -> None:
    page = site_of(hostile).visit("/")
    assert "{provider} {{7*7}}" in page.one("h1").text


def test_every_answer_forbids_everything_that_it_does_not_need(site_of: Sites) -> None:
    client = site_of(story).client
    for path in (*STARTS, "/healthz", "/static/seedwatch.css"):
        with client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"].split("; ")
            assert policy[0] == "default-src 'none'", path
            assert "script-src 'self'" in policy
            assert "style-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "base-uri 'none'" in policy
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_request_under_another_name_is_refused(site_of: Sites) -> None:
    """So that a stranger's page, whose name resolves to this machine, reads nothing."""
    client = site_of(story).client
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/", headers={"Host": "127.0.0.1:8025"}).status_code == 200
    assert client.get("/", headers={"Host": "[::1]:8025"}).status_code == 200


def test_addresses_that_no_row_can_have_are_not_found_and_not_an_error(site_of: Sites) -> None:
    client = site_of(story).client
    for path in ("/tests/%00", "/incidents/a%00b", "/?window=%00"):
        assert client.get(path).status_code == 404, path
    for path in (f"/tests?before={'9' * 40}", "/tests?before=-1", f"/incidents?page={'9' * 40}"):
        assert client.get(path).status_code == 200, path


def test_other_methods_are_refused(site_of: Sites) -> None:
    answer = site_of(story).client.post("/", data=b"x" * 100)
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_an_unchanged_page_is_not_sent_again(site_of: Sites) -> None:
    client = site_of(story).client
    tag = client.get("/").headers["ETag"]
    again = client.get("/", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert again.data == b""


def test_pages_are_small(site_of: Sites) -> None:
    for make in (story, hostile):
        for path in site_of(make).walk():
            assert len(site_of(make).client.get(path).data) < 100_000, path


def test_a_test_with_very_much_to_tell_stays_a_small_page(site_of: Sites) -> None:
    def talkative(world: World) -> None:
        world.begin(each=30)
        moves = [Placement.PENDING, Placement.INBOX, Placement.UNKNOWN, Placement.REMOVED]
        uid = world.send("contoso", NOW - 5 * HOUR, lambda *_: moves * 3, reply="x" * 900)
        marks = {"name": "rspamd", "judged": "spam", "meaning": "m" * 300}
        world.prove(uid, GOOD_FACTS | {"filters": [marks] * 50})

    client = site_of(talkative).client
    assert len(client.get("/tests/t0001").data) < 100_000
    assert len(client.get("/").data) < 100_000


def test_no_page_needs_a_script_or_a_style_of_its_own(site_of: Sites) -> None:
    for path, page in site_of(story).walk().items():
        assert [s.attributes.get("src") for s in page.all("script")] == ["/static/seedwatch.js"], (
            path
        )
        assert page.all("style") == [], path


@given(st.text(), st.integers(2, 50))
def test_cleaned_text_is_short_printable_and_can_be_encoded(text: str, limit: int) -> None:
    shown = clean(text, limit)
    assert len(shown) <= limit
    shown.encode()
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


@given(st.text())
def test_foreign_text_is_always_escaped(text: str) -> None:
    inside = str(foreign(text)).removeprefix("<bdi>").removesuffix("</bdi>")
    assert "<" not in inside
    assert ">" not in inside


@given(st.floats(0, 1))
def test_only_all_is_a_hundred_percent_and_only_none_is_zero(share: float) -> None:
    assert (percent(share) == "100 %") == (share == 1)
    assert (percent(share) == "0 %") == (share == 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "authentication": JSON
            | st.dictionaries(st.sampled_from(["spf", "dkim", "compauth"]), JSON),
            "filters": JSON
            | st.lists(st.dictionaries(st.sampled_from(["name", "judged", "facts"]), JSON)),
            "transit_s": JSON,
        },
    )
)
def test_evidence_of_any_shape_is_told_without_an_error(facts: dict[str, object]) -> None:
    for finding in findings(facts):
        assert isinstance(finding.value, str)


def test_an_interval_reads_low_to_high() -> None:
    assert percent_range(0.481, 0.7523) == "48–75 %"
