"""How much of a list is where; what is not known is not nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.exposure import OTHER, UNKNOWN, exposure

PROVIDERS = {"a.example": "microsoft365", "b.example": "microsoft365", "c.example": OTHER}


def test_recipients_are_summed_by_the_provider_of_their_domain() -> None:
    found = exposure({"a.example": 30, "b.example": 1, "c.example": 69}, PROVIDERS)
    assert found.recipients == {"microsoft365": 31, OTHER: 69}
    share = found.at("microsoft365")
    assert share is not None
    assert (share.recipients, share.total, share.low, share.high) == (31, 100, 0.31, 0.31)
    assert share.words == "31 %"


def test_a_domain_without_an_answer_widens_every_share_and_is_nobodys() -> None:
    found = exposure({"a.example": 30, "c.example": 60, "d.example": 10}, PROVIDERS)
    assert found.recipients[UNKNOWN] == 10
    shares = {provider: found.at(provider) for provider in ("microsoft365", "gmail")}
    assert [s and (s.low, s.high, s.words) for s in shares.values()] == [
        (0.3, 0.4, "30 to 40 %"),
        (0.0, 0.1, "0 to 10 %"),
    ]


def test_of_a_list_without_any_answer_nothing_is_said() -> None:
    assert exposure({"d.example": 10}, {}).at("gmail") is None
    assert exposure({}, {}).at("gmail") is None


def test_a_small_share_is_not_rounded_to_nothing() -> None:
    found = exposure({"a.example": 1, "c.example": 999}, PROVIDERS)
    assert [share.words for share in found.shares] == ["less than 1 %", "100 %"]


def test_providers_come_by_size_and_what_is_none_comes_last() -> None:
    found = exposure({"c.example": 90, "d.example": 50, "a.example": 9}, PROVIDERS)
    assert [share.provider for share in found.shares] == ["microsoft365", OTHER, UNKNOWN]


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from([*PROVIDERS, "d.example", "e.example"]), st.integers(0)))
def test_nobody_is_lost_and_no_share_leaves_its_bounds(domains: dict[str, int]) -> None:
    found = exposure(domains, PROVIDERS)
    assert found.total == sum(domains.values())
    for share in found.shares if found.total else ():
        assert 0 <= share.low <= share.high <= 1
