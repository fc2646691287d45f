"""Which providers receive for many domains: asked together, remembered, and never for ever."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from monitor.core.clock import Clock
from monitor.core.errors import AgainLaterError
from monitor.core.exposure import OTHER, UNKNOWN
from monitor.core.ports import Resolver
from monitor.core.providers import provider_of_mx
from monitor.core.seeds import ProviderFacts

THREADS = 32
MOST = 50_000  # names of one question
KEPT = 200_000  # answers
FRESH = timedelta(hours=6)  # providers are not changed from one hour to the next


class MailHosts:
    """Tells domains' providers by their MX hosts. Safe between threads.

    An answer is remembered for six hours; that there was none is not, so that asking again
    fills the gaps.
    """

    def __init__(
        self, resolver: Resolver, facts: Mapping[str, ProviderFacts], clock: Clock
    ) -> None:
        self._resolver = resolver
        self._facts = facts
        self._clock = clock
        self._known: OrderedDict[str, tuple[str, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def providers_of(self, domains: Collection[str], *, within_s: float) -> dict[str, str]:
        """Return the provider of each domain: its id, "other", or "unknown" without an answer.

        Args:
            domains: of more than 50,000 that have no answer yet, the first are asked.
            within_s: when to stop asking; the last answer may take one more question's time.
        """
        names = {domain: domain.lower().rstrip(".") for domain in domains}
        known = self._fresh(set(names.values()))
        todo = [name for name in dict.fromkeys(names.values()) if name not in known]
        answers = ask_together(self._resolver.mx, todo[:MOST], within_s=within_s)
        told = {
            name: provider_of_mx(hosts, self._facts) or OTHER
            for name, hosts in answers.items()
            if hosts is not None
        }
        self._remember(told)
        known |= told
        return {domain: known.get(name, UNKNOWN) for domain, name in names.items()}

    def provider_of(self, domain: str, *, within_s: float = 10) -> str:
        """Return the provider of one domain, as `providers_of` does."""
        return self.providers_of([domain], within_s=within_s)[domain]

    def _fresh(self, names: Collection[str]) -> dict[str, str]:
        oldest = self._clock.now() - FRESH
        with self._lock:
            found = {name: self._known[name] for name in names if name in self._known}
        return {name: provider for name, (provider, at) in found.items() if at > oldest}

    def _remember(self, told: Mapping[str, str]) -> None:
        now = self._clock.now()
        with self._lock:
            for name, provider in told.items():
                self._known[name] = (provider, now)
                self._known.move_to_end(name)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)


def ask_together(
    ask: Callable[[str], list[str]], names: Collection[str], *, within_s: float
) -> dict[str, list[str] | None]:
    """Ask about many names at a time; None for one without an answer in time.

    Args:
        ask: one question to the DNS; raises AgainLaterError without an answer.
        within_s: when to stop asking.
    """
    if not names:
        return {}
    answers: dict[str, list[str] | None] = dict.fromkeys(names)

    def one(name: str) -> None:
        try:
            answers[name] = ask(name)
        except AgainLaterError:
            answers[name] = None

    crew = ThreadPoolExecutor(min(THREADS, len(names)), thread_name_prefix="dns")
    try:
        asked = [crew.submit(one, name) for name in names]
        done = wait(asked, timeout=within_s).done
    finally:
        crew.shutdown(wait=True, cancel_futures=True)
    for question in done:
        question.result()  # a fault of our own is not taken for silence
    return answers
