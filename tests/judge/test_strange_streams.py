"""Streams as strangers write them: told twice, out of order, in other words, or by mistake."""

from typing import Any

import pytest

from monitor.core.placements import Placement
from monitor.judge.judge import Judge
from monitor.judge.stream import MOST_CAMPAIGNS, RecordError, Replay, Stream
from tests.judge.test_stream import CAMPAIGN, WORLD, check, started, story


def test_no_story_begins_with_its_end() -> None:
    """A suspicion of before the time that counts, and closed in it, was never anybody's."""
    records = story(29)
    for record in records:
        if record.get("c") == "c60" and "bad" in record:
            record["bad"] = dict.fromkeys("01234567", "spam")
    judged = [Replay(Judge(false_alarms_per_year=6)) for _ in range(2)]

    whole = [e for r in records for e in judged[0].take(r | {"evaluate_from": None})]
    later = [e for r in records for e in judged[1].take(r | {"evaluate_from": 12.0})]

    assert {e["state"] for e in whole if e["t"] < 12} == {"suspected"}
    assert {e["state"] for e in whole if e["t"] > 12} == {"closed"}
    assert later == []


def test_a_line_that_is_told_twice_changes_nothing() -> None:
    stream = started()
    first = check(10.5, bad={"2": "missing"})
    assert stream.take(first) is not None

    assert stream.take(first) is None
    assert stream.take(CAMPAIGN) is None
    told = stream.take(check(12.0, 1, chg={}))

    assert told is not None
    assert told.placements["p0-02"] is Placement.MISSING
    assert len(told.placements) == 3


def test_what_never_arrived_is_not_removed() -> None:
    stream = started()
    stream.take(check(10.5, bad={"0": "missing", "2": "unknown"}))

    told = stream.take(check(12.0, 1, chg=dict.fromkeys("024", "missing")))

    assert told is not None
    assert told.placements["p0-00"] is Placement.MISSING
    assert told.placements["p0-02"] is Placement.MISSING
    assert told.placements["p0-04"] is Placement.REMOVED


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (check(11.0, 1), "chk: 1 comes after check 2"),
        (check(11.0, 2, chg={"0": "spam"}), "chk: 2 comes after check 2"),
        (check(11.0, 1, p="p1", chg={}), "chk: 1 comes before a check that tells the seeds"),
        (check(11.0, True), "chk: is not the number"),
        (check(11.0, 3, bad={"0": "spam"}), "bad goes with seeds, chg with a later check"),
        (check(11.0, 0, p="p1", chg={"0": "spam"}), "bad goes with seeds"),
        (check(11.0, 0, p="p1", seeds=[-1]), "seeds: is neither a number nor a name"),
        ({**CAMPAIGN, "t": 10.1}, "c: 'c1' was told before, and otherwise"),
        ({**CAMPAIGN, "c": "c2", "feat": [f"url:{n}" for n in range(2000)]}, "feat: more than"),
        ({**CAMPAIGN, "c": "c2", "t": "9999-12-31T23:59:59Z"}, "t: '9999-12-31T23:59:59Z' is no"),
        ({**CAMPAIGN, "c": "c2", "t": 10**4000}, "t: 1000"),
        ({**WORLD, "mailboxes": [{"m": "x", "p": "p0", "group": {}}]}, "group: an object is no"),
    ],
)
def test_what_contradicts_is_named_and_changes_nothing(
    record: dict[str, Any], problem: str
) -> None:
    stream = started()
    stream.take(check(10.5))
    stream.take(check(10.9, 2))

    with pytest.raises(RecordError) as refused:
        stream.take(record)

    assert problem in str(refused.value)
    assert len(str(refused.value)) < 100
    assert stream.take(check(11.0, 3)) is not None


@pytest.mark.parametrize("field", ["type", "t", "c", "s", "feat", "p", "chk", "seeds", "bad"])
def test_a_field_that_is_nested_deeply_is_refused(field: str) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    stream = started()

    for record in (CAMPAIGN, check(10.5, bad={})):
        if field in record:
            with pytest.raises(RecordError):
                stream.take({**record, field: {"0": deep} if field == "bad" else deep})


def test_seeds_may_be_told_by_any_name_and_regions_by_number() -> None:
    names = ["bücher@example.org", "²", "4711"]
    boxes = [{"m": name, "p": "p0", "group": n} for n, name in enumerate(names)]
    stream = Stream()
    stream.take({"type": "world", "providers": ["p0"], "mailboxes": boxes})
    stream.take(CAMPAIGN)

    told = stream.take(check(10.5, seeds=names, bad={"²": "spam"}))

    assert told is not None
    assert list(told.placements) == names
    assert told.placements["²"] is Placement.SPAM
    assert told.regions == {"bücher@example.org": "0", "²": "1", "4711": "2"}


def test_colons_in_names_make_no_two_checks_one() -> None:
    stream = started()
    for c in ("c2", "c2:p0"):
        stream.take({**CAMPAIGN, "c": c})

    told = [stream.take(check(11.0, c="c2", p="p0:p0")), stream.take(check(11.0, c="c2:p0"))]

    assert len({observation.id for observation in told if observation}) == 2


def test_campaigns_that_nobody_looks_for_do_not_pile_up() -> None:
    stream = started()
    for number in range(MOST_CAMPAIGNS):
        stream.take({**CAMPAIGN, "c": f"new{number}"})

    with pytest.raises(RecordError, match="c: 'c1' is a campaign that no line"):
        stream.take(check(11.0))
