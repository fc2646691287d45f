"""Whose domains these are: asked together, bounded, remembered."""

import threading
from datetime import timedelta

import pytest

from monitor.core.clock import ManualClock
from monitor.core.errors import AgainLaterError
from monitor.core.seeds import ProviderFacts
from monitor.lab.lab import Lab
from monitor.lookups.dns import DnsResolver
from monitor.lookups.mail_hosts import MailHosts, ask_together


class Asked:
    """A resolver that counts, and is silent about some domains."""

    def __init__(self, *silent: str) -> None:
        self.silent = set(silent)
        self.names: list[str] = []

    def mx(self, domain: str) -> list[str]:
        self.names.append(domain)
        if domain in self.silent:
            raise AgainLaterError("no answer.")
        return ["mx1.gmx.net"] if domain.startswith("gmx") else ["mx.else.example"]

    def txt(self, domain: str) -> list[str]:
        raise NotImplementedError


def test_the_labs_domains_are_told_by_their_mail_servers(
    lab: Lab, facts: dict[str, ProviderFacts], clock: ManualClock
) -> None:
    hosts = MailHosts(DnsResolver([lab.dns], timeout_s=5), facts, clock)
    wanted = {p.domain: p.id for p in lab.providers.values()} | {"nobody.invalid": "other"}
    assert hosts.providers_of(wanted, within_s=10) == wanted


def test_an_answer_is_asked_for_once_in_six_hours(
    facts: dict[str, ProviderFacts], clock: ManualClock
) -> None:
    resolver = Asked()
    hosts = MailHosts(resolver, facts, clock)
    for name in ("gmx.example", "GMX.example.", "gmx.example"):
        assert hosts.provider_of(name) == "gmx"
    assert resolver.names == ["gmx.example"]
    clock.sleep(timedelta(hours=6))
    hosts.provider_of("gmx.example")
    assert len(resolver.names) == 2


def test_silence_is_unknown_and_is_asked_about_again(
    facts: dict[str, ProviderFacts], clock: ManualClock
) -> None:
    resolver = Asked("gmx.example")
    hosts = MailHosts(resolver, facts, clock)
    told = hosts.providers_of(["gmx.example", "else.example"], within_s=5)
    assert told == {"gmx.example": "unknown", "else.example": "other"}
    resolver.silent.clear()
    assert hosts.provider_of("gmx.example") == "gmx"


def test_what_takes_too_long_is_left_unanswered() -> None:
    never = threading.Event()

    def ask(name: str) -> list[str]:
        never.wait(0.2)
        return ["mx.example"]

    names = [f"{n}.example" for n in range(200)]
    answers = ask_together(ask, names, within_s=0.01)
    assert list(answers) == names
    assert answers["199.example"] is None


def test_a_fault_of_our_own_is_not_taken_for_silence() -> None:
    def ask(name: str) -> list[str]:
        raise ZeroDivisionError(name)

    with pytest.raises(ZeroDivisionError):
        ask_together(ask, ["a.example"], within_s=5)
