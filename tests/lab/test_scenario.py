"""Scenario files: what may stand in them, and what a person is told otherwise."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.errors import BadInputError
from monitor.lab.rules import Action, Draw, Rule, Subject, lot
from monitor.lab.scenario import KEYS, Scenario, as_span, load_scenario
from tests.lab.letters import scenario

HOUR = timedelta(hours=1)


def test_a_rule_is_read_with_all_its_conditions() -> None:
    read = scenario(
        """
        [[rule]]
        action = "zap"
        provider = ["gmail", "yahoo"]
        from = "1h30m"
        until = "2d"
        url_domain = "LNK.example.net"
        fraction = 0.5
        draw = "test"
        at = "3h"
        """
    )

    assert read.rules == (
        Rule(
            name="1 zap",
            action=Action.ZAP,
            providers=frozenset(("gmail", "yahoo")),
            starts=1.5 * HOUR,
            until=48 * HOUR,
            url_domain="lnk.example.net",
            fraction=0.5,
            draw=Draw.TEST,
            at=3 * HOUR,
        ),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[rule]]\naction = "spam"\nurl_domian = "x"', "url_domian.*Did you mean 'url_domain'"),
        ('[[rule]]\naction = "quarantin"', "quarantin.*Did you mean 'quarantine'"),
        ('[[rule]]\naction = "spam"\nprovider = "gmial"', "gmial.*Did you mean 'gmail'"),
        ('[[rule]]\naction = "spam"\nfrom = "6 hours"', "6 hours.*90m"),
        ('[[rule]]\naction = "spam"\nfrom = ""', "from.*90m"),
        ('[[rule]]\naction = "spam"\nfrom = 6', "from.*90m"),
        ('[[rule]]\naction = "spam"\nfraction = 2', "fraction.*from 0 to 1"),
        ('[[rule]]\naction = "spam"\nfraction = true', "fraction.*from 0 to 1"),
        ('[[rule]]\naction = "imap_limit"\nconnections = 0', "connections.*at least 1"),
        ('[[rule]]\naction = "spam"\nrecipient = 3', "recipient.*a string"),
        ('[[rule]]\naction = "tab"', "tab.*is missing"),
        ('[[rule]]\nfrom = "1h"', "action.*is missing"),
        ('[[rule]]\naction = "tab"\ntab = "x"\ndelay = "1h"', "delay.*is not a key here"),
        ('[[rule]]\naction="spam"\nname="a"\n[[rule]]\naction="drop"\nname="a"', "stands twice"),
        ("rules = 1", "rules.*Did you mean 'rule'"),
        ("rule = 1", "is not a list"),
        ("rule = ", "is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(text: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        load_scenario(text, name="test")


def test_an_unknown_bundled_scenario_is_named() -> None:
    with pytest.raises(BadInputError, match="Did you mean 'quiet'"):
        Scenario.bundled("quite")


def test_the_bundled_scenarios_are_right() -> None:
    assert Scenario.bundled("quiet").rules == ()
    assert {r.action for r in Scenario.bundled("mo255463").rules} >= {
        Action.QUARANTINE,
        Action.ZAP,
        Action.BLOCK_LINK,
        Action.ADVISORY,
    }


def test_the_next_change_is_the_next_edge_of_a_rule() -> None:
    read = scenario(
        '[[rule]]\naction = "drop"\nfrom = "1h"\nuntil = "3h"\n'
        '[[rule]]\naction = "advisory"\nid = "MO1"\nprovider = "microsoft365"\nfrom = "1h"\n'
        'published_after = "1h"\nresolved_after = "4h"\n'
    )

    changes = [read.next_change(hours * HOUR) for hours in range(6)]
    assert changes == [HOUR, 2 * HOUR, 3 * HOUR, 5 * HOUR, 5 * HOUR, None]


@given(st.text(max_size=12))
def test_a_span_is_read_or_refused(text: str) -> None:
    span = as_span(text)

    assert span is None or span >= timedelta(0)


def test_every_action_stands_in_the_documentation() -> None:
    text = Path("docs/lab.md").read_text("utf-8")

    assert [a for a in Action if f"`{a}`" not in text] == []
    assert sorted({k for keys in KEYS.values() for k in keys if f"`{k}`" not in text}) == []


@given(st.integers(), st.text(), st.text())
def test_a_lot_is_a_share_and_always_the_same(seed: int, rule: str, key: str) -> None:
    drawn = lot(seed, rule, key)

    assert 0 <= drawn < 1
    assert drawn == lot(seed, rule, key)


@pytest.mark.parametrize("draw", list(Draw))
def test_a_fraction_hits_about_that_share(draw: Draw) -> None:
    rule = Rule(name="some", action=Action.SPAM, fraction=0.2, draw=draw)

    hits = sum(
        rule.matches(
            Subject(recipient=f"s{n}@x", message_id=f"<{n}@x>", test=f"t{n}", from_domain=f"d{n}"),
            seed=3,
        )
        for n in range(2000)
    )

    assert 320 <= hits <= 480  # 400 expected; 4.5 standard deviations


def test_a_draw_per_test_or_sender_treats_its_copies_alike() -> None:
    for draw in (Draw.TEST, Draw.SENDER):
        rule = Rule(name="some", action=Action.SPAM, fraction=0.5, draw=draw)
        outcomes = {
            rule.matches(
                Subject(recipient=f"s{n}@x", message_id=f"<{n}@x>", test="t", from_domain="d"), 3
            )
            for n in range(50)
        }
        assert len(outcomes) == 1
