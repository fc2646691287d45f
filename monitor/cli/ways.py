"""Say how a test went out, and by what its copies were known."""

from collections.abc import Iterator, Mapping

from monitor.core.campaigns import Match
from monitor.core.departures import YOURS
from monitor.store.ways import WayOut

# Strongest first; an ordinary test is known by the first two, of which nothing is said.
WORDS: Mapping[Match, str] = {
    Match.MESSAGE_ID: "Message-ID",
    Match.HEADER: "campaign header",
    Match.BODY: "token in the text",
    Match.PLUS_ADDRESS: "plus-address",
    Match.BODY_HASH: "wording",
    Match.WEAK: "From, subject and time only (weak)",
}


def sentences(way: WayOut) -> Iterator[str]:
    """Yield what is worth saying before the placements of a test."""
    if way.transport == YOURS:
        yield _arrival(way)
    elif way.transport:
        yield f"Sent through {way.transport!r}."
    found = {Match(word): count for word, count in way.matches.items()}
    if way.transport == YOURS or set(found) - {Match.MESSAGE_ID, Match.HEADER}:
        known = ", ".join(f"{WORDS[m]} {found[m]}" for m in WORDS if m in found)
        if known:
            yield f"Copies known by: {known}."
    if way.duplicates:
        noun = "message" if way.duplicates == 1 else "messages"
        yield f"{way.duplicates} further {noun} of this campaign, not counted."


def _arrival(way: WayOut) -> str:
    if way.arrived_at is not None:
        return f"Sent by your own service; first received {way.arrived_at:%Y-%m-%d %H:%M} UTC."
    until = f"{way.expected_until:%Y-%m-%d %H:%M}" if way.expected_until else "its end"
    return f"Not received by any seed yet; awaited until {until} UTC."
