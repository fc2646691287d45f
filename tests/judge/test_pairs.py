"""A filter that takes only mail with two features: it is the pair that is named."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from monitor.core.blamed import features_of
from monitor.core.incidents import Cause, IncidentEvent, State
from monitor.core.placements import Placement
from tests.judge.worlds import LINK, Mail, Trouble, World, at, judged, senders

ESP = "esp:esp0"
PLACES = ("gmail", "outlook", "yahoo")


def has_both(mail: Mail) -> bool:
    return mail.provider == "yahoo" and mail.has_link and ESP in mail.sender.features


def linking(mail: Mail) -> bool:
    return mail.provider == "yahoo" and mail.has_link


def of_the_service(mail: Mail) -> bool:
    return mail.provider == "yahoo" and ESP in mail.sender.features


def incident(hits: Callable[[Mail], bool], linking_senders: int = 12) -> Sequence[IncidentEvent]:
    """What is said of mail that *hits*, of twenty senders of whom every third has the ESP."""
    trouble = Trouble(hits, Placement.SPAM, at(6), share=0.9)
    made = [replace(sender, every=at(3)) for sender in senders(20, linking_senders)]
    return judged(World(made, PLACES, troubles=(trouble,), looks=(at(0.1),)).observations(at(13)))


def test_a_pair_is_named_if_mail_with_either_alone_is_spared() -> None:
    last = incident(has_both)[-1]

    assert (last.state, last.cause) == (State.CONFIRMED, Cause.PROVIDER_FEATURE)
    assert (last.provider, last.feature) == ("yahoo", f"{ESP}+{LINK}")
    assert set(last.hit) == {f"s{n}.example.org" for n in (0, 3, 6, 9)}
    assert " sent through esp0 that links to lnk.example.net in spam: 4 of 4 " in last.sentence
    controls = {tally.name: tally.bad for tally in last.evidence.controls}
    assert controls[f"without {ESP}"] == controls[f"without {LINK}"] == 0


@pytest.mark.parametrize(("hits", "feature"), [(linking, LINK), (of_the_service, ESP)])
def test_one_feature_is_enough_if_all_mail_with_it_is_hit(
    hits: Callable[[Mail], bool], feature: str
) -> None:
    events = incident(hits)

    assert (events[-1].state, events[-1].feature) == (State.CONFIRMED, feature)
    assert not any(len(features_of(event.feature)) > 1 for event in events)


def test_no_pair_is_named_if_nobody_has_but_one_of_the_two() -> None:
    """All who link are hit, whatever the service: there is nobody to tell the two apart."""
    named = {e.feature for e in incident(has_both, linking_senders=1)}

    assert not any(len(features_of(feature)) > 1 for feature in named)


def test_a_pair_is_written_and_read_in_the_same_way() -> None:
    assert features_of(f"{ESP}+{LINK}") == [ESP, LINK]
    assert features_of("url:a+b.example/x+y") == ["url:a+b.example/x+y"]
    assert features_of(None) == []
