"""An incident that shows on a gauge, in words: first what happens, then whose doing it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.core.incidents import Cause, State
from monitor.judge.claims import ESP, Claim
from monitor.judge.explain import listed, plain, senders, so, time, what
from monitor.judge.gauges.kinds import KINDS


@dataclass(frozen=True, slots=True)
class GaugeFacts:
    """What a sentence may say. `usual` and `now` are readings, not on the scale."""

    gauge: str
    claim: Claim
    state: State
    since: datetime
    until: datetime | None
    hit: int
    asked: int
    usual: float
    now: float
    normal: Sequence[str]  # ids of providers at which the same mail is as usual
    names: Mapping[str, str]

    def provider(self, name: str | None) -> str:
        return plain(self.names.get(name or "", name or "a provider"))

    @property
    def instead(self) -> str:
        gauge = KINDS[self.gauge]
        return f"{gauge.told(self.now)} instead of {gauge.told(self.usual)}"

    @property
    def whom(self) -> str:
        return f"for {self.hit} of {senders(self.asked)} since {time(self.since)}"


def sentence(facts: GaugeFacts) -> str:
    """Say *facts* in a few short sentences."""
    subject = _subject(facts)
    if facts.state in {State.RECOVERING, State.CLOSED} and facts.until is not None:
        lasted = f"It lasted from {time(facts.since)} to {time(facts.until)}"
        if facts.state is State.RECOVERING:
            return f"{subject} look normal again. {lasted} as far as we see; we go on watching."
        return f"{subject} are normal again. {lasted}; {senders(facts.hit)} hit."
    if facts.state is State.CLOSED:
        return f"{subject}: nothing more is to be seen of it."
    told = _drift(facts) if not KINDS[facts.gauge].is_delay else _LATE[facts.claim.cause](facts)
    return f"Suspected, not yet certain: {told}" if facts.state is State.SUSPECTED else told


def had_risen(facts: GaugeFacts) -> str:
    """What an incident of lost mail says of the scores that rose before it."""
    return (
        f" It had scored mail higher than usual ({KINDS[facts.gauge].label} {facts.instead}) "
        f"since {time(facts.since)}."
    )


def _subject(facts: GaugeFacts) -> str:
    claim = facts.claim
    if not KINDS[facts.gauge].is_delay:
        return f"The scores that {facts.provider(claim.provider)} gives to mail"
    if claim.provider is not None:
        return f"Delays at {facts.provider(claim.provider)}"
    if claim.esp is not None:
        return f"Delays of mail{what(ESP + claim.esp)}"
    return f"Delays of mail from {plain(claim.sender)}" if claim.sender else "Delays of all mail"


def _drift(facts: GaugeFacts) -> str:
    return (
        f"{facts.provider(facts.claim.provider)} scores mail higher than usual "
        f"({KINDS[facts.gauge].label} {facts.instead}) {facts.whom}, "
        "which often comes before the junk folder."
    )


def _by_provider(facts: GaugeFacts) -> str:
    names = [facts.provider(name) for name in facts.normal]
    normal = f" {listed(names)} {'is' if len(names) == 1 else 'are'} normal." if names else ""
    return (
        f"{facts.provider(facts.claim.provider)} delivers mail late: {facts.instead} "
        f"{facts.whom}. {so(facts.state)} not you.{normal}"
    )


def _by_esp(facts: GaugeFacts) -> str:
    return (
        f"Mail{what(ESP + (facts.claim.esp or ''))} arrives late everywhere: {facts.instead} "
        f"{facts.whom}. {so(facts.state)} the sending service."
    )


def _by_monitor(facts: GaugeFacts) -> str:
    return (
        f"All mail arrives late, at whatever provider: {facts.instead} {facts.whom}. "
        f"{so(facts.state)} how the mail is sent or measured, not one provider."
    )


def _by_sender(facts: GaugeFacts) -> str:
    return (
        f"Mail from {plain(facts.claim.sender or '')} arrives late everywhere: {facts.instead} "
        f"since {time(facts.since)}. {so(facts.state)} how this sender's mail is sent, "
        "not the providers."
    )


_LATE: Mapping[Cause, Callable[[GaugeFacts], str]] = {
    Cause.PROVIDER: _by_provider,
    Cause.ESP: _by_esp,
    Cause.MONITOR: _by_monitor,
    Cause.SENDER: _by_sender,
}
