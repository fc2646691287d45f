"""How much one process asks of a provider: connections at once, and rest where it says so.

A provider that says "too many" is left alone for a while: half a minute the first time, and
twice as long each time after it, up to half an hour. First that account is; once three of a
provider's accounts were told so, with no good answer in between, all of them are. What is
learnt here is forgotten with the process.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from monitor.core.clock import Clock
from monitor.core.errors import MailboxBusyError
from monitor.core.seeds import ProviderFacts

FIRST_REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=30)
MANY_ACCOUNTS = 3  # told "too many" in a row: it is the provider who means it


@dataclass(slots=True)
class _Rest:
    """A streak of refusals."""

    streak: int = 0
    until: datetime | None = None

    def longer(self, now: datetime) -> timedelta:
        """Rest from *now*; return for how long."""
        span = min(FIRST_REST * (1 << min(self.streak, 16)), LONGEST_REST)
        self.streak += 1
        self.until = now + span
        return span


@dataclass(slots=True)
class _OfProvider:
    """What is known of one provider. Connections are kept in the order of their latest use."""

    rest: _Rest = field(default_factory=_Rest)
    accounts: dict[str, _Rest] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)  # accounts, since the latest good answer
    open: dict[object, tuple[str, Callable[[], bool]]] = field(default_factory=dict)


class Budget:
    """Shared by all mailboxes of a process, and safe between their threads.

    Args:
        wait_s: how long `enter` waits for another connection to end, by the wall clock.
    """

    def __init__(self, clock: Clock, *, wait_s: float = 30.0) -> None:
        self._clock = clock
        self._wait_s = wait_s
        self._changed = threading.Condition()
        self._known: dict[str, _OfProvider] = {}

    @contextmanager
    def enter(self, facts: ProviderFacts, account: str) -> Iterator[None]:
        """Surround whatever asks the provider.

        Raises:
            MailboxBusyError: it asked to be left alone; `retry_after` says for how long.
        """
        with self._changed:
            known = self._of(facts)
            for rest, who in ((known.rest, facts.name), (known.accounts.get(account), account)):
                self._check(rest, who, account)
        yield

    def take(
        self, facts: ProviderFacts, account: str, key: object, give_up: Callable[[], bool]
    ) -> None:
        """Count a new connection, having others of this provider closed that are kept idle.

        Args:
            key: of the connection; for `drop`.
            give_up: closes it if nobody uses it at this moment, and says whether it did.

        Raises:
            MailboxBusyError: all that it allows are in use, and stay so.
        """
        ends = monotonic() + self._wait_s
        while (others := self._in_the_way(facts, account, key, give_up)) is not None:
            if any(close() for close in others):
                continue
            with self._changed:
                if not self._changed.wait(min(1.0, ends - monotonic())) and monotonic() >= ends:
                    raise MailboxBusyError(
                        f"cannot read {account}: all connections that {facts.name} allows at"
                        " once are in use.",
                        retry_after=FIRST_REST,
                    )

    def drop(self, facts: ProviderFacts, key: object) -> None:
        """Learn that a connection has ended."""
        with self._changed:
            self._of(facts).open.pop(key, None)
            self._changed.notify_all()

    def busy(self, facts: ProviderFacts, account: str) -> timedelta:
        """Learn that *account* was told "too many"; return for how long it is left alone now."""
        with self._changed:
            known, now = self._of(facts), self._clock.now()
            known.refused.add(account)
            span = known.accounts.setdefault(account, _Rest()).longer(now)
            if len(known.refused) >= MANY_ACCOUNTS and not _is_in_force(known.rest, now):
                span = max(span, known.rest.longer(now))
            return span

    def leave(self, facts: ProviderFacts, account: str, span: timedelta) -> None:
        """Learn that the server wants *account* to be left alone for so long."""
        with self._changed:
            rest = self._of(facts).accounts.setdefault(account, _Rest())
            rest.until = self._clock.now() + span

    def fine(self, facts: ProviderFacts, account: str) -> None:
        """Learn that *account* was answered well."""
        with self._changed:
            known = self._of(facts)
            known.rest = _Rest()
            known.accounts.pop(account, None)
            known.refused.clear()

    def _of(self, facts: ProviderFacts) -> _OfProvider:
        return self._known.setdefault(facts.id, _OfProvider())

    def _check(self, rest: _Rest | None, who: str, account: str) -> None:
        now = self._clock.now()
        if rest is None or rest.until is None or not _is_in_force(rest, now):
            return
        raise MailboxBusyError(
            f"cannot read {account}: {who} is left alone until {rest.until:%H:%M:%S} UTC, because"
            " the server said that it is asked too much.",
            retry_after=rest.until - now,
        )

    def _in_the_way(
        self, facts: ProviderFacts, account: str, key: object, give_up: Callable[[], bool]
    ) -> list[Callable[[], bool]] | None:
        """Count the connection (None), or return what closes those that leave no room for it."""
        with self._changed:
            opened = self._of(facts).open
            opened.pop(key, None)
            same = [close for who, close in opened.values() if who == account]
            if 0 < facts.account_connections <= len(same):
                return same
            if 0 < facts.connections <= len(opened):
                return [close for _, close in opened.values()]
            opened[key] = (account, give_up)
            return None


@dataclass(frozen=True, slots=True)
class Share:
    """A budget as the reader of one account uses it."""

    budget: Budget
    facts: ProviderFacts
    account: str

    def enter(self) -> AbstractContextManager[None]:
        """As `Budget.enter`."""
        return self.budget.enter(self.facts, self.account)

    def leave(self, span: timedelta) -> None:
        """As `Budget.leave`."""
        self.budget.leave(self.facts, self.account, span)


def _is_in_force(rest: _Rest, now: datetime) -> bool:
    return rest.until is not None and now < rest.until
