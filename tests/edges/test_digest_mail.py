"""Digests and letters about a route: what was measured, and nothing that was not."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from monitor.alerts import letters
from monitor.alerts.chart import Day, drawn, told
from monitor.alerts.digest import render
from monitor.core.ports import Message
from tests.edges.test_email_alert import FEATURE, HOSTILE, WATCHED

LEAVE = "https://watch.example/l/unsubscribe/abc"
BODY = {
    "from": "2026-02-23T07:00:00+00:00",
    "until": "2026-03-02T07:00:00+00:00",
    "providers": [
        {
            "provider": "microsoft365", "n": 40, "arrived": 10, "n_eff": 12.0, "low": 0.1,
            "high": 0.5, "before_n": 40, "before_arrived": 38,
        },
        {"provider": "gmail", "n": 20, "arrived": 19, "n_eff": 8.0, "low": 0.6, "high": 0.99},
    ],
    "days": [
        {"day": "1 Mar", "n": 30, "arrived": 9},
        {"day": "2 Mar", "n": 0, "arrived": 0},
        {"day": "3 Mar", "n": 30, "arrived": 30},
    ],
    "incidents": [
        {
            "incident": "m365/1", "state": "confirmed", "feature": FEATURE,
            "sentence": "Microsoft 365 quarantines mail that links to lnk.example.net.",
        }
    ],
}  # fmt: skip
NOTHING = BODY | {"providers": [], "days": [], "incidents": []}


def digest(body: dict[str, object]) -> Message:
    return render(body, recipient="ops@a.example", leave=LEAVE, office=WATCHED)


def line(text: str) -> str:
    return " ".join(text.split())


def test_a_digest_says_each_share_with_its_n_its_interval_and_its_change() -> None:
    message = digest(BODY)
    text = line(message.text)
    assert message.subject == (
        "Your mail: 48 % of your test mail reached the inbox (29 of 60 copies, 2 providers)."
    )
    assert "- Microsoft 365: 25 % (10 of 40), down 70 points likely 10 % to 50 %; worth 12" in text
    assert "before: 95 % of 40" in text
    assert "- Gmail: 95 % (19 of 20), no data before" in text
    assert "down 70 points" in message.html
    assert "lnk[.]example[.]net" in message.html
    assert LEAVE in message.text
    assert message.unsubscribe_url == LEAVE


def test_where_nothing_was_measured_a_digest_says_so_and_shows_no_figure() -> None:
    message = digest(NOTHING)
    assert message.text.startswith("Nothing was measured: no copy of a test was sent")
    assert "%" not in message.text
    assert message.images == ()
    assert "cid:" not in message.html


def test_the_picture_shows_the_days_and_its_words_say_the_same() -> None:
    message = digest(BODY)
    [image] = message.images
    assert Image.open(io.BytesIO(image.png)).size == (1184, 360)
    assert len(image.png) < 20_000
    words = "Share in the inbox by day: 1 Mar 30 %, 3 Mar 100 %."
    assert f'alt="{words}"' in message.html
    assert 'src="cid:chart"' in message.html


def test_a_day_without_data_has_no_bar() -> None:
    """A bar of no height would look like mail that was lost."""
    none, lost = Day("2 Mar", 0, 0), Day("2 Mar", 9, 0)
    assert told([none]) == "Share in the inbox by day: no data."
    assert told([lost]) == "Share in the inbox by day: 2 Mar 0 %."
    assert drawn([none]) != drawn([lost])
    assert drawn([lost]) == drawn([lost])


def test_the_question_says_who_asks_and_asks_nothing_else() -> None:
    link = "https://watch.example/l/confirm/abc"
    asked = letters.confirm(
        {"asked_by": "ops@b.example"}, link=link, recipient="x@a.example", office=WATCHED
    )
    assert asked.text.startswith("ops@b.example would like Seedwatch to write to this address.")
    assert link in asked.text
    assert f'href="{link}"' in asked.html
    assert "If not, do nothing" in asked.text
    assert asked.unsubscribe_url == ""


def test_a_trial_says_that_nothing_is_wrong() -> None:
    message = letters.trial(recipient="x@a.example", route_id=7, office=WATCHED)
    assert "nothing is wrong" in message.subject
    assert message.payload == {
        "route": 7,
        "sentence": "This is a trial. It shows that warnings from Seedwatch reach you;"
        " nothing is wrong.",
    }


@pytest.mark.parametrize("kind", ["digest", "confirm"])
def test_what_comes_from_outside_is_escaped(kind: str) -> None:
    if kind == "confirm":
        message = letters.confirm(
            {"asked_by": HOSTILE}, link="", recipient=HOSTILE, office=replace(WATCHED, base_url="")
        )
    else:
        evil = [{"incident": HOSTILE, "state": "x", "sentence": HOSTILE}]
        rows = [BODY["providers"][1] | {"provider": HOSTILE}]
        message = digest(BODY | {"incidents": evil, "providers": rows})
    assert "<script" not in message.html
    assert "\n" not in message.subject
    assert all(c.isprintable() or c == "\n" for c in message.text)
