"""Sentences say what the facts say: whose doing, which mail, how many, since when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.incidents import Cause, Direction, Evidence, State, Tally
from monitor.judge import ends
from monitor.judge.claims import Claim
from monitor.judge.explain import Facts, plain, sentence, what

SINCE = datetime(2026, 3, 2, 18, 20, tzinfo=UTC)
UNTIL = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)
NAMES = {"microsoft365": "Microsoft 365", "gmail": "Gmail", "yahoo": "Yahoo", "icloud": "iCloud"}


def tally(name: str, bad: int = 0, n: int = 8) -> Tally:
    return Tally(name, n=n, bad=bad, n_eff=4.0, low=0.0, high=1.0, expected=0.02)


def facts(claim: Claim, **changes: object) -> Facts:
    evidence = Evidence(
        hit=tuple(tally(f"hit{n}", bad=8) for n in range(8)),
        spared=(tally("spared0"), tally("spared1")),
        controls=(tally("gmail"), tally("yahoo"), tally("icloud")),
        placements={"quarantine": 60, "inbox": 4},
    )
    known: dict[str, object] = {
        "cause": claim.cause,
        "claim": claim,
        "state": State.CONFIRMED,
        "since": SINCE,
        "until": None,
        "evidence": evidence,
        "asked": 8,
        "places_hit": 8,
        "places": 8,
        "names": NAMES,
    }
    return Facts(**(known | changes))  # type: ignore[arg-type]


LINK = Claim(Cause.PROVIDER_FEATURE, "microsoft365", "url:lnk.example.net")
NORTHWIND = Claim(Cause.SENDER, sender="northwind.example.org")


def one_sender(placement: str = "spam") -> Evidence:
    return Evidence(
        hit=(tally("northwind.example.org", bad=30),),
        spared=tuple(tally(f"spared{n}") for n in range(9)),
        placements={placement: 30},
    )


def test_a_provider_and_its_link_are_named() -> None:
    assert sentence(facts(LINK)) == (
        "Microsoft 365 is quarantining mail that links to lnk.example.net: 8 of 8 senders hit "
        "since 2026-03-02 18:20 UTC. It is not you. Gmail, Yahoo and iCloud are normal."
    )


def test_a_control_that_is_not_normal_is_not_called_so() -> None:
    evidence = Evidence(
        hit=(tally("a", bad=8),),
        controls=(tally("gmail"), tally("yahoo", bad=6)),
        placements={"spam": 8},
    )

    assert sentence(facts(LINK, evidence=evidence)).endswith("It is not you. Gmail is normal.")


def test_a_sender_in_trouble_everywhere_is_told_that_it_is_its_own() -> None:
    assert sentence(facts(NORTHWIND, evidence=one_sender())) == (
        "Mail from northwind.example.org goes to spam at all 8 providers since 2026-03-02 "
        "18:20 UTC: 1 of 10 senders; the others are normal. It is this sender's mail, not the "
        "providers."
    )


def test_a_sender_in_trouble_at_some_providers_is_not_said_to_be_so_at_all() -> None:
    told = sentence(facts(NORTHWIND, evidence=one_sender(), places_hit=5))

    assert "at 5 of 8 providers" in told


@pytest.mark.parametrize(
    ("placement", "words"),
    [
        ("spam", "is putting mail in spam"),
        ("quarantine", "is quarantining mail"),
        ("rejected", "is rejecting mail"),
        ("missing", "is losing mail"),
        ("removed", "is removing mail after delivery"),
    ],
)
def test_the_verb_is_what_happens_to_most_copies(placement: str, words: str) -> None:
    evidence = Evidence(hit=(tally("a", bad=8),), placements={"inbox": 99, placement: 8})
    claim = Claim(Cause.PROVIDER, "microsoft365")

    assert sentence(facts(claim, evidence=evidence)).startswith(f"Microsoft 365 {words}: ")


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("url:a.example", " that links to a.example"),
        ("track:a.example", " with tracking links of a.example"),
        ("dkim:a.example", " signed by a.example"),
        ("ip:192.0.2.0/24", " sent from 192.0.2.0/24"),
        ("esp:mailwing", " sent through mailwing"),
        ("attach:pdf", " with pdf attachments"),
        ("region:eu", " to its mailboxes in eu"),
        ("other:x", " with other:x"),
    ],
)
def test_every_kind_of_feature_has_its_words(feature: str, words: str) -> None:
    assert what(feature) == words


def test_mail_of_no_feature_needs_no_words() -> None:
    assert what() == ""


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (("esp:acme", "url:a.example"), "mail sent through acme that links to a.example in spam"),
        (("dkim:b.example", "esp:acme"), "mail signed by b.example and sent through acme in spam"),
    ],
)
def test_a_pair_is_told_in_one_clause(pair: tuple[str, str], words: str) -> None:
    claim = Claim(Cause.PROVIDER_FEATURE, "gmail", pair[1], second=pair[0])
    evidence = Evidence(hit=(tally("a", bad=8),), placements={"spam": 8})

    assert claim.named == "+".join(pair)
    assert f"Gmail is putting {words}: " in sentence(facts(claim, evidence=evidence))


@pytest.mark.parametrize(
    ("claim", "state", "until", "words"),
    [
        (LINK, State.SUSPECTED, None, "Suspected, not yet certain: Microsoft 365 is"),
        (LINK, State.RECOVERING, UNTIL, "looks normal again"),
        (LINK, State.CLOSED, UNTIL, "is normal again. It lasted from 2026-03-02 18:20 UTC to"),
        (LINK, State.CLOSED, None, "nothing more is to be seen of it"),
        (Claim(Cause.ESP, esp="mailwing"), State.CONFIRMED, None, "It is the sending service."),
        (Claim(Cause.CONTENT, feature="url:x.example"), State.CONFIRMED, None, "everywhere"),
        (Claim(Cause.CONTENT, sender="a"), State.SUSPECTED, None, "A campaign from a "),
        (Claim(Cause.MONITOR), State.CONFIRMED, None, "It is the monitor that fails"),
        (Claim(Cause.MONITOR), State.CLOSED, UNTIL, "The monitor is normal again."),
        (
            Claim(Cause.SENDER_AT_PROVIDER, "gmail", sender="a"),
            State.CONFIRMED,
            None,
            "standing there",
        ),
        (Claim(Cause.SEED, "gmail", seed="a@b"), State.CONFIRMED, None, "The seed a@b at Gmail"),
    ],
)
def test_every_claim_and_state_has_its_sentence(
    claim: Claim, state: State, until: datetime | None, words: str
) -> None:
    assert words in sentence(facts(claim, state=state, until=until))


MILDER = Claim(Cause.PROVIDER, "microsoft365", direction=Direction.BETTER)


def test_elsewhere_is_as_usual_only_where_mail_fares_neither_worse_nor_better() -> None:
    """Of a filter that lets mail through: another that does so too is not as usual."""
    usual = Tally("gmail", n=20, bad=11, n_eff=9.0, low=0.3, high=0.8, expected=0.6)
    better = replace(usual, name="yahoo", bad=1)
    evidence = Evidence(hit=(tally("a"),), controls=(usual, better))

    told = sentence(facts(MILDER, evidence=evidence))

    assert told.endswith("Nothing that you changed. Gmail is as usual.")


def test_what_a_filter_lets_through_for_weeks_is_usual_and_has_not_ended() -> None:
    later = SINCE + timedelta(days=15)
    told = sentence(facts(MILDER, state=State.CLOSED, until=later))

    assert told == (
        "Mail at Microsoft 365 is as usual: what is let through since 2026-03-02 18:20 UTC is "
        "usual now."
    )


@pytest.mark.parametrize("reason", [ends.FINE, ends.LAPSED, ends.REFUTED, ends.SILENT])
def test_what_is_given_up_is_not_said_to_have_lasted_until_anything(reason: str) -> None:
    assert ends.lasted_until(3.0, reason) is None
    assert ends.lasted_until(3.0, "It has not come back for twelve hours.") is not None


def test_what_cannot_be_told_is_said() -> None:
    told = sentence(facts(LINK, cause=Cause.INSUFFICIENT))

    assert told.endswith("to tell whether it is the provider or the sender.")


def test_a_name_from_outside_becomes_one_short_printable_line() -> None:
    assert plain("a\r\nb\x1b[31m\u202ec " + "x" * 200) == "a b [31m c " + "x" * 66 + "..."


def test_what_is_only_suspected_concludes_nothing() -> None:
    told = sentence(facts(LINK, state=State.SUSPECTED))

    assert told.startswith("Suspected, not yet certain: ")
    assert "If so, it is not you." in told
