"""Incident events for tests that do not care how they came about."""

from datetime import datetime

from monitor.core.incidents import Cause, Evidence, IncidentEvent, State, Tally


def event(
    at: datetime,
    *,
    incident: str = "inc-1",
    state: State = State.CONFIRMED,
    cause: Cause = Cause.PROVIDER_FEATURE,
    hit: tuple[str, ...] = ("news.example.org",),
    sender: str | None = None,
) -> IncidentEvent:
    """An event with everything filled in."""
    return IncidentEvent(
        at=at,
        incident=incident,
        state=state,
        cause=cause,
        provider=None if cause.blames_sender else "microsoft365",
        feature="url:lnk.example.net" if cause is Cause.PROVIDER_FEATURE else None,
        sender=sender,
        start=at,
        start_low=at,
        start_high=at,
        posterior={cause: 0.97, Cause.INSUFFICIENT: 0.03},
        sentence="Microsoft 365 quarantines mail that links to lnk.example.net.",
        reason="six senders are hit",
        hit=hit,
        spared=("calm.example.org",),
        evidence=Evidence(
            hit=(Tally("news.example.org", n=4, bad=4, n_eff=2.9, low=0.4, high=1.0, expected=0.1),)
        ),
    )
