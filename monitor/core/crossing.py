"""What open incidents mean for a list of recipients, in words. Pure."""

from collections.abc import Iterable, Mapping

from monitor.core.blamed import WHICH_MAIL, features_of, in_one
from monitor.core.exposure import Exposure, Share
from monitor.core.incidents import Cause, Direction, Incident, IncidentEvent, State


def crossed(
    exposure: Exposure, incidents: Iterable[Incident], names: Mapping[str, str]
) -> list[str]:
    """Say for each open incident at a provider how much of the list is there, the most first.

    "31 % of this list (310 of 1000) is at Microsoft 365, which is degraded now."

    Args:
        names: of providers, as people know them.
    """
    found: list[tuple[float, str]] = []
    for incident in incidents:
        event = incident.latest
        share = exposure.at(event.provider) if event.provider and incident.is_open else None
        if share is None or not share.high or not _condition(event):
            continue
        name = names.get(share.provider, share.provider)
        found.append((share.high, f"{part(share)} is at {name}, {_condition(event)}."))
    return [sentence for _, sentence in sorted(found, key=lambda pair: (-pair[0], pair[1]))]


def part(share: Share) -> str:
    """Say how much of a list a provider has: "31 % of this list (310 of 1000)"."""
    unknown = f"; of {share.unknown} nobody can tell" if share.unknown else ""
    return f"{share.words} of this list ({share.recipients} of {share.total}{unknown})"


def _condition(event: IncidentEvent) -> str:
    """How it stands at the incident's provider; "" if that is nothing to act on."""
    if event.direction is Direction.BETTER or event.is_foreboding:
        return ""
    since = f"since {event.start:%Y-%m-%d %H:%M} UTC"
    if event.state is State.RECOVERING:
        return f"which recovers{_which(event)}"
    is_sure = event.state is State.CONFIRMED
    if event.cause.blames_sender or event.cause is Cause.POLICY:
        return f"which filters your mail{_which(event)} {since}" if is_sure else ""
    how = "delivers mail{} late" if event.is_late else "is degraded{}"
    perhaps = "" if is_sure else "perhaps "
    mail = _which(event) if event.is_late or not event.feature else f" for mail{_which(event)}"
    return f"which {perhaps}{how.format(mail)} {since}"


def _which(event: IncidentEvent) -> str:
    """The clause that tells which mail is meant, with a blank before it; may be empty."""
    clauses = [_clause(one) for one in features_of(event.feature)]
    return f" {in_one(clauses)}" if clauses else ""


def _clause(feature: str) -> str:
    kind, _, value = feature.partition(":")
    shown = "".join(c if c.isprintable() else " " for c in value or kind)[:80]
    return WHICH_MAIL.get(kind, "with {}").replace("{}", shown)
