"""What one process asks of a provider at most, and how it rests when told "too many"."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.core.campaigns import Wanted
from monitor.core.clock import ManualClock
from monitor.core.errors import MailboxBusyError
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes.budget import Budget
from monitor.mailboxes.imap import ImapMailbox

Start = Callable[..., Any]
Open = Callable[..., ImapMailbox]
Want = Callable[..., Wanted]

FACTS = ProviderFacts("yahoo", "Yahoo", (), None, {})
THROTTLED = b"TAG NO [LIMIT] LOGIN Rate limit hit\r\n"


@pytest.fixture
def seed() -> Iterator[Callable[..., ImapMailbox]]:
    """Open mailboxes that share a budget; they are closed after the test."""
    opened: list[ImapMailbox] = []

    def open_(
        server: Any, budget: Budget, name: str = "a", facts: ProviderFacts = FACTS
    ) -> ImapMailbox:
        address = f"{name}@seed.example"
        account = Account(address, facts.id, server.endpoint, address, "pw")
        opened.append(ImapMailbox(account, facts, timeout_s=5, budget=budget))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def refusal(mailbox: ImapMailbox, wanted: Wanted) -> MailboxBusyError:
    with pytest.raises(MailboxBusyError) as caught:
        mailbox.look([wanted])
    return caught.value


def test_a_throttled_account_is_left_alone_longer_each_time(
    scripted: Start, seed: Open, wanted: Want, clock: ManualClock
) -> None:
    server = scripted({"LOGIN": THROTTLED})
    reader = seed(server, Budget(clock))

    rests = []
    for _ in range(9):
        error = refusal(reader, wanted())
        assert error.retry_after is not None
        rests.append(error.retry_after.total_seconds())
        clock.sleep(error.retry_after)

    assert rests == [30, 60, 120, 240, 480, 960, 1800, 1800, 1800]
    assert server.connections == 9


@pytest.mark.parametrize("command", ["LOGIN", "LIST"])
def test_a_goodbye_may_mean_too_many(
    scripted: Start, seed: Open, wanted: Want, clock: ManualClock, command: str
) -> None:
    """Then it is not tried again at once, as after other goodbyes."""
    server = scripted({command: b"* BYE [UNAVAILABLE] Too many connections\r\n"})

    assert refusal(seed(server, Budget(clock)), wanted()).retry_after == timedelta(seconds=30)
    assert server.connections == 1


def test_a_greeting_may_mean_too_many(
    scripted: Start, seed: Open, wanted: Want, clock: ManualClock
) -> None:
    server = scripted({}, greeting=b"* BYE Too many connections from your address\r\n")

    assert refusal(seed(server, Budget(clock)), wanted()).retry_after == timedelta(seconds=30)


def test_while_it_is_left_alone_nobody_connects(
    scripted: Start, seed: Open, wanted: Want, clock: ManualClock
) -> None:
    server = scripted({"LOGIN": THROTTLED})
    reader = seed(server, Budget(clock))
    refusal(reader, wanted())
    clock.sleep(timedelta(seconds=10))

    error = refusal(reader, wanted())

    assert "a@seed.example is left alone until 08:00:30 UTC" in str(error)
    assert error.retry_after == timedelta(seconds=20)
    assert server.connections == 1


def test_a_good_answer_ends_the_streak(
    scripted: Start, seed: Open, wanted: Want, clock: ManualClock
) -> None:
    server = scripted({"EXAMINE": b"TAG NO [UNAVAILABLE] Server busy\r\n"})
    reader, usual = seed(server, Budget(clock)), scripted({}).answers["EXAMINE"]
    refusal(reader, wanted())
    clock.sleep(timedelta(seconds=30))
    refused, server.answers["EXAMINE"] = server.answers["EXAMINE"], usual
    assert len(reader.look([wanted()])) == 1

    server.answers["EXAMINE"] = refused

    assert refusal(reader, wanted()).retry_after == timedelta(seconds=30)


def test_one_throttled_account_does_not_hold_up_the_others_but_three_do(
    scripted: Start, seed: Open, wanted: Want, clock: ManualClock
) -> None:
    server, budget = scripted({"LOGIN": THROTTLED}), Budget(clock)
    for name in ("a", "b"):
        refusal(seed(server, budget, name), wanted())
    well = seed(scripted({}), budget, "well")
    assert len(well.look([wanted()])) == 1

    for name in ("c", "d", "e"):
        refusal(seed(server, budget, name), wanted())

    assert "Yahoo is left alone until 08:00:30 UTC" in str(refusal(well, wanted()))
    elsewhere = seed(scripted({}), budget, facts=replace(FACTS, id="gmx", name="GMX"))
    assert len(elsewhere.look([wanted()])) == 1


@pytest.mark.parametrize(
    "answer",
    [b"TAG NO [AUTHENTICATIONFAILED] no\r\n", b"TAG NO [INUSE] locked\r\n", b"* BYE bye\r\n"],
)
def test_other_trouble_is_no_throttling(
    scripted: Start, seed: Open, wanted: Want, clock: ManualClock, answer: bytes
) -> None:
    server, budget = scripted({"LOGIN": answer}), Budget(clock)
    for _ in range(2):
        with pytest.raises(Exception, match=r"^cannot read a@seed\.example"):
            seed(server, budget).look([wanted()])

    assert server.connections == 2


def test_a_kept_connection_gives_way_where_a_provider_allows_no_more(
    scripted: Start, seed: Open, wanted: Want, clock: ManualClock
) -> None:
    server, budget = scripted({}), Budget(clock)
    facts = replace(FACTS, connections=2)
    readers = [seed(server, budget, name, facts) for name in "abc"]

    for reader in (*readers, readers[2], readers[0]):
        assert len(reader.look([wanted()])) == 1

    assert [bool(reader.round_trips) for reader in readers] == [True, False, True]
    assert server.connections == 4


def test_connections_of_one_account_are_limited_too(
    scripted: Start, seed: Open, wanted: Want, clock: ManualClock
) -> None:
    server, budget = scripted({}), Budget(clock)
    facts = replace(FACTS, account_connections=1)
    first, second, other = (seed(server, budget, name, facts) for name in ("a", "a", "b"))

    for reader in (first, other, second):
        reader.look([wanted()])

    assert [bool(reader.round_trips) for reader in (first, second, other)] == [False, True, True]


def test_a_connection_in_use_is_waited_for_and_not_for_ever(
    scripted: Start, seed: Open, wanted: Want, clock: ManualClock
) -> None:
    server, budget = scripted({"EXAMINE": b""}), Budget(clock, wait_s=0.05)
    facts = replace(FACTS, connections=1)
    busy, waiting = seed(server, budget, "a", facts), seed(server, budget, "b", facts)
    looking = threading.Thread(target=refusal, args=(busy, wanted()))
    looking.start()
    while "EXAMINE" not in " ".join(server.commands):
        pass

    error = refusal(waiting, wanted())

    assert "all connections that Yahoo allows at once are in use" in str(error)
    server.stop()
    looking.join()
