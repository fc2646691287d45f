"""What to do about an incident, most urgent first. Pure."""

import re
from collections.abc import Mapping, Sequence

from monitor.core.blamed import WHICH_MAIL, features_of, in_one
from monitor.core.incidents import Cause, Direction, Incident, IncidentEvent, State
from monitor.core.seeds import ProviderFacts
from monitor.web.verdict import feature_words

_ADVICE = {
    Cause.PROVIDER: (
        "Change neither your content nor your DNS records.",
        "Hold campaigns to {provider} that can wait; send to everybody else as planned.",
        "Report the false positives to {provider}{form}",
    ),
    Cause.PROVIDER_FEATURE: (
        "{held}",
        "Change nothing else: all other mail to {provider} arrives as before.",
        "Report the false positives to {provider}{form}",
    ),
    Cause.SENDER: (
        "Pause this sender’s campaigns until it is mended.",
        "Check authentication (SPF, DKIM, DMARC), complaints and the source of the addresses.",
        "Other senders need do nothing.",
    ),
    Cause.SENDER_AT_PROVIDER: (
        "Slow this sender down at {provider}; elsewhere it may go on.",
        "Look up its reputation in {provider}’s own postmaster tools.",
    ),
    Cause.CONTENT: (
        "Take {feature} out of the campaign, or send it in another form.",
        "The sender itself is not at fault: its other mail arrives.",
    ),
    Cause.POLICY: (
        "Read the rule that {provider} has announced, and meet it.",
        "The evidence names the senders who fail it.",
    ),
    Cause.ESP: (
        "Tell the sending service, with the numbers of this incident.",
        "Send urgent mail another way.",
    ),
    Cause.SEED: ("Check or replace the test mailbox. Your mail is not concerned.",),
    Cause.MONITOR: ("Check this installation: seedwatch doctor. Nothing is known of your mail.",),
    Cause.INSUFFICIENT: ("Send another test: more copies will tell whose fault it is.",),
}

# Mail that arrives, but late. That of one sender, or all mail, is only ever suspected of it.
_LATE = {
    Cause.PROVIDER: (
        "Do not send again what has not arrived: it is on its way.",
        "Send what must be read at a certain hour to {provider} earlier, or hold it.",
        "Change neither your content nor your DNS records.",
    ),
    Cause.ESP: (
        "Tell the sending service, with the numbers of this incident.",
        "Do not send again what has not arrived: it is on its way.",
    ),
    Cause.SENDER: ("Look whether mail waits at the server or service that sends it.",),
    Cause.MONITOR: (
        "Look whether mail waits at the server that sends it.",
        "Look whether the clocks are right: seedwatch doctor.",
    ),
}
_BETTER = (
    "Nothing needs to be done; such a change need not last.",
    "Do not read better figures at {provider} as your own success.",
)
_FOREBODING = (
    "Nothing yet: mail still arrives there.",
    "Look here again before you send a large campaign to {provider}.",
)
_SUSPECTED = (
    "Change nothing yet: more mail will tell.",
    "A large campaign that this would hit can wait until then.",
)
_OVER = "Mail arrives again. Send what you held, a part first, and watch this page."
_IN_TIME = "Mail arrives in time again. Send what you held, a part first, and watch this page."
_WATCHED = "Nothing: we go on watching."

# What is ours to find out, and asks the same of us while it is only suspected.
_OURS = frozenset({Cause.SEED, Cause.MONITOR, Cause.INSUFFICIENT})
_GAP = re.compile(r"\{(\w+)\}")
_REMOVABLE = ("url", "track", "attach")  # what can be left out of a message


def advice(incident: Incident, facts: Mapping[str, ProviderFacts]) -> list[str]:
    """Return what to do about *incident*, most urgent first; nothing once it is closed."""
    latest = incident.latest
    known = facts.get(latest.provider or "")
    provider = known.name if known else latest.provider or "this provider"
    form = f": {known.report_form}" if known and known.report_form else "."
    gaps = {
        "provider": provider,
        "form": form,
        "feature": feature_words(latest.feature),
        "held": _held(latest.feature, provider),
    }
    # In one go: features hold what strangers wrote, and braces in them must stay what they are.
    return [_GAP.sub(lambda gap: gaps[gap[1]], line) for line in _lines(latest)]


def _lines(event: IncidentEvent) -> Sequence[str]:
    if event.state is State.CLOSED:
        return ()
    if event.direction is Direction.BETTER:
        return _BETTER
    if event.state is State.RECOVERING:
        arrives = _IN_TIME if event.is_late else _OVER
        return (_WATCHED if event.cause in _OURS else arrives,)
    if event.is_foreboding:
        return _FOREBODING
    if event.is_late:
        return _LATE.get(event.cause, _SUSPECTED)
    is_open = event.state is State.SUSPECTED and event.cause not in _OURS
    return _SUSPECTED if is_open else _ADVICE[event.cause]


def _held(feature: str | None, provider: str) -> str:
    """What to do with the mail that a provider holds back for a *feature*, or for two."""
    named = features_of(feature)
    kind, _, value = named[0].partition(":") if named else ("", "", "")
    if len(named) > 1:
        return f"Hold mail {_which(named)} for {provider}; mail with only one of the two arrives."
    if kind == "region":
        return f"Hold campaigns to mailboxes of {provider} in {value} that can wait."
    if kind in _REMOVABLE or not named:
        words = feature_words(feature)
        return f"Leave {words} out of mail to {provider} until this is over, or hold that mail."
    return f"Hold mail {_which(named)} for {provider}, or send it another way."


def _which(features: Sequence[str]) -> str:
    parts = [one.partition(":") for one in features]
    return in_one(WHICH_MAIL.get(k, "with {}").replace("{}", value or k) for k, _, value in parts)
