"""`seedwatch domains`: what to publish, and whether it is there."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from monitor.core.clock import ManualClock
from monitor.lab.lab import Lab
from monitor.lab.scenario import Scenario
from tests.cli.typed import listed, refused, run, setting


@pytest.fixture(scope="module")
def dns() -> Iterator[Lab]:
    """A DNS that knows no proof yet."""
    clock = ManualClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
    with Lab(Scenario.bundled("quiet"), clock=clock, seed=1) as running:
        yield running


@pytest.fixture
def asking(config: str, dns: Lab) -> str:
    """An installation that asks the lab's DNS."""
    setting(config, "dns", f'servers = ["{dns.dns[0]}:{dns.dns[1]}"]')
    return config


def test_a_domain_is_proven_by_publishing_what_is_printed(asking: str, dns: Lab) -> None:
    first = run("domains", "check", "Brand.Example", "--config", asking)
    assert first.exit_code == 1
    assert "brand.example is not proven: the record is not in the DNS" in first.output
    (told,) = listed(asking, "domains", "list")
    publish = told["publish"]
    assert f'{publish["name"]} TXT "{publish["text"]}"' in first.output

    dns.add_record(publish["name"], "TXT", '"else"', f'"{publish["text"]}"')
    second = run("domains", "check", "brand.example", "--config", asking)
    assert (second.exit_code, second.output) == (0, "brand.example is proven.\n")
    below = run("domains", "check", "news.brand.example", "--config", asking)
    assert (below.exit_code, "by a domain above it" in below.output) == (0, True)
    assert [one["proven"] for one in listed(asking, "domains", "list")] == [True, False]
    assert "proven 20" in run("domains", "list", "--config", asking).output


def test_a_dns_that_does_not_answer_is_said_and_is_no_refusal(config: str) -> None:
    setting(config, "dns", 'servers = ["127.0.0.1:9"]')
    setting(config, "dns", "timeout_s = 0.2")
    shown = run("domains", "check", "brand.example", "--config", config, "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["problem"]) == (1, "the DNS gave no answer")


@pytest.mark.parametrize("typed", ["", "example", "a b.example", "x" * 300, "a..example", "\x07.x"])
def test_what_is_no_domain_is_refused(config: str, typed: str) -> None:
    assert refused(run("domains", "check", typed, "--config", config), "DOMAIN", "example.org")


def test_a_test_says_what_proves_its_from_domain_until_it_is_proven(
    seeded: str, letter: str, dns: Lab
) -> None:
    setting(seeded, "dns", f'servers = ["{dns.dns[0]}:{dns.dns[1]}"]')
    shown = run("test", "send", letter, "--config", seeded)
    (told,) = listed(seeded, "domains", "list")
    assert told["domain"] == "news.example.org"
    assert f'TXT "{told["publish"]["text"]}"' in shown.output
    again = json.loads(run("test", "send", letter, "--json", "--config", seeded).stdout)
    assert again["domain"]["publish"] == told["publish"]

    dns.add_record(told["publish"]["name"], "TXT", f'"{told["publish"]["text"]}"')
    assert run("domains", "check", "news.example.org", "--config", seeded).exit_code == 0
    assert "Publish" not in run("test", "send", letter, "--config", seeded).output
