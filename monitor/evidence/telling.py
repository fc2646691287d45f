"""What a message's evidence says, in sentences for a person; the first is the verdict."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monitor.evidence import pages

NAMES = {
    "aol": "AOL",
    "fastmail": "Fastmail",
    "gmail": "Gmail",
    "gmx": "GMX",
    "google": "Google",
    "google_workspace": "Google Workspace",
    "icloud": "iCloud",
    "microsoft365": "Microsoft 365",
    "outlook": "Outlook.com",
    "proton": "Proton Mail",
    "webde": "WEB.DE",
    "yahoo": "Yahoo",
}
_PASSED = frozenset({"pass", "bestguesspass", "softpass", "success"})
_METHODS = ("spf", "dkim", "dmarc")
_TAKEN_FOR = {"clean": "no spam", "bulk": "bulk mail", "phish": "phishing"}
_PLACED = {"J": "put it into Junk", "I": "put it into the inbox", "D": "deleted it"}
_SLOW_S = 60
CAUTION = (
    "These are the receiver's words. They often blame the sender for a fault of the"
    " receiver's own: see whether other senders get them too."
)


def summary(told: Mapping[str, Any]) -> str:
    """The verdict: what became of it, by whom, and whether authentication passed."""
    report = told["report"]
    if report is not None:
        return _report_summary(report)
    return f"{_placement(told)} {_authentication(told)}"


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """All of it, the summary first; what belongs to a line stands below it, indented."""
    yield told["summary"]
    if told["report"] is not None:
        yield from _report(told["report"])
        return
    yield f"received by: {_name(told['receiver'], 'cannot be told')}"
    yield from _results(told)
    yield from _arc(told)
    if not told["filters"]:
        yield "filters: none has left a mark that we know"
    for one in told["filters"]:
        yield from _filter(one, [code for code in told["codes"] if code["filter"] == one["name"]])
    yield from _way(told)
    for field in told["unknown"]:
        yield f"not understood: {field}"


def _placement(told: Mapping[str, Any]) -> str:
    who = _name(told["receiver"])
    own = next((one for one in told["filters"] if one["standing"] == "receiver"), None)
    if own is None:
        return _claims(who, told["filters"])
    if told["contaminated"]:
        return f"A list or rule of the mailbox placed it, not the filter of {who}: it says nothing."
    dest = _PLACED.get(str(own["facts"].get("dest") or "").upper())
    receiver = NAMES.get(told["receiver"] or "", f"The receiver's filter ({own['name']})")
    if own["judged"] == "unknown":
        decided = "left no verdict that we can read" if dest is None else dest
        return f"{receiver} {decided}."
    taken = _TAKEN_FOR.get(own["judged"], own["judged"])
    if taken == "quarantined":
        return f"{receiver} quarantined it."
    return f"{receiver} took it for {taken}{f' and {dest}' if dest else ''}."


def _claims(who: str, filters: Sequence[Mapping[str, Any]]) -> str:
    """Where no mark is certain to be the receiver's."""
    said = [
        f"{one['name']} says {_TAKEN_FOR.get(one['judged'], one['judged'])}"
        for one in filters
        if one["judged"] != "unknown"
    ]
    if not said:
        return f"Received by {who}; no filter of the receiver's left a verdict in the headers."
    return (
        f"Received by {who}; {_listed(said)}, in marks that may be the receiver's or of"
        " somebody before it."
    )


def _authentication(told: Mapping[str, Any]) -> str:
    results = told["authentication"]
    passed = [name.upper() for name in _METHODS if results[name] in _PASSED]
    others = [
        f"{name.upper()} ({results[name]})"
        for name in _METHODS
        if results[name] and results[name] not in _PASSED
    ]
    if not passed and not others:
        surely = " that are surely its own" if told["authentication_claimed"] else ""
        return f"The receiver wrote down no results of SPF, DKIM or DMARC{surely}."
    if not passed:
        return f"{_listed(others)} did not pass."
    return f"{_listed(passed)} passed{f'; {_listed(others)} did not' if others else ''}."


def _results(told: Mapping[str, Any]) -> Iterator[str]:
    results = told["authentication"]
    known = [f"{name} {results[name]}" for name in (*_METHODS, "arc", "compauth") if results[name]]
    yield f"authentication: {', '.join(known) or 'nothing that the receiver itself wrote'}"
    codes = [code for code in told["codes"] if code["filter"] is None]
    for code in codes:
        yield f"  {_code(code)}"
    if known:
        for page in dict.fromkeys([pages.RFC_AUTHRES, *(code["page"] for code in codes)]):
            yield f"  see {page}"
    yield from _claimed(told["authentication_claimed"])


def _claimed(claimed: Mapping[str, str | None] | None) -> Iterator[str]:
    if claimed is None:
        return
    name = claimed["authserv_id"]
    said = [f"{one} {claimed[one]}" for one in (*_METHODS, "arc") if claimed[one]]
    yield f"  claimed under the name {name}: {', '.join(said)}"
    yield "  a filter of the receiver's writes there, and so can a sender; if that server always"
    yield f"  writes its results, say so with --trust {name}"


def _arc(told: Mapping[str, Any]) -> Iterator[str]:
    chain = told["arc"]
    if chain is None:
        return
    count = chain["instances"]
    sealers = ", ".join(chain["sealers"]) or "nobody who gives a name"
    broken = "" if chain["is_whole"] else "; the chain has gaps, so it counts for nothing"
    said = told["authentication"]["arc"]
    believed = f"the receiver found it {said}" if said else "the receiver says nothing of it"
    yield (
        f"ARC: {count} set{'s' if count > 1 else ''}, sealed by {sealers}; the last one claims"
        f" cv={chain['cv'] or '?'}; {believed}{broken}"
    )
    yield f"  see {pages.RFC_ARC}"


def _filter(one: Mapping[str, Any], codes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"{one['name']}: {one['judged']}. {one['meaning']}"
    if one["standing"] == "claim":
        yield "  not certain to be the receiver's: the sender, or a system on the way, may have"
        yield "  written it"
    for code in codes:
        yield f"  {_code(code)}"
    seen = [one["page"], *(code["page"] for code in codes)]
    for page in dict.fromkeys(page for page in seen if page):
        yield f"  see {page}"


def _code(code: Mapping[str, Any]) -> str:
    meaning = f": {code['meaning']}" if code["meaning"] else ""
    return f"{code['name']} {code['value']}".rstrip() + meaning


def _way(told: Mapping[str, Any]) -> Iterator[str]:
    for hop in told["hops"]:
        delay = f", {_span(hop['delay_s'])} later" if hop["delay_s"] is not None else ""
        slow = " (slow)" if (hop["delay_s"] or 0) > _SLOW_S else ""
        yield f"hop: {hop['from'] or '?'} to {hop['by'] or '?'} at {hop['at'] or '?'}{delay}{slow}"
    if told["transit_s"] is None:
        return
    slowest = told["slowest"]
    most = ""
    if slowest is not None:
        way = f"{slowest['from'] or '?'} to {slowest['by'] or '?'}"
        most = f"; the slowest step was {way}, with {_span(slowest['delay_s'])}"
    yield f"on its way for {_span(told['transit_s'])}, to the mailbox{most}"


def _report_summary(report: Mapping[str, Any]) -> str:
    recipients = report["recipients"]
    if not recipients:
        return "A delivery report that names no recipient."
    if len(recipients) > 1:
        counted = Counter(one["action"] or "not said" for one in recipients)
        shown = ", ".join(f"{count} {action}" for action, count in counted.most_common())
        return f"A delivery report on {len(recipients)} recipients: {shown}."
    one = recipients[0]
    did = {
        "failed": "could not be delivered to",
        "delayed": "is still not delivered to",
        "delivered": "was delivered to",
        "relayed": "was handed on for",
        "expanded": "went to the members of",
    }.get(one["action"] or "", "is reported on for")
    why = f" {one['meaning']}" if one["meaning"] else ""
    return f"The message {did} {one['address'] or 'a recipient without address'}.{why}"


def _report(report: Mapping[str, Any]) -> Iterator[str]:
    by = report["reporting_mta"] or "a system that gives no name"
    subject = report["original_subject"]
    named = f' "{subject}"' if subject else ""
    yield f"reported by: {by}"
    yield f"about: {report['original_message_id'] or 'a message without Message-ID'}{named}"
    for one in report["recipients"]:
        yield from _recipient(one)
    if any(one["action"] in {"failed", "delayed"} for one in report["recipients"]):
        yield CAUTION
    yield f"  see {pages.RFC_DSN}"


def _recipient(one: Mapping[str, Any]) -> Iterator[str]:
    yield f"{one['action'] or 'not said what became of it'}: {one['address'] or '?'}"
    if one["original_address"] and one["original_address"] != one["address"]:
        yield f"  written to {one['original_address']}"
    if one["diagnostic"]:
        whose = one["remote_mta"] or one["source"] or "the reporting system"
        yield f"  words of {whose}: {one['diagnostic']}"
    if one["status"]:
        meaning = one["status_meaning"] or "not a registered code"
        # Microsoft uses codes for what they are not registered for, as 5.1.10.
        is_microsofts = one["provider"] == "microsoft365" and one["status_meaning"]
        registered = "registered for: " if is_microsofts else ""
        yield f"  status {one['status']}: {registered}{meaning}"
    if one["source"]:
        yield f"  {one['kind']}: {one['meaning']}"
    for page in dict.fromkeys((one["page"], pages.IANA_STATUS if one["status"] else None)):
        if page:
            yield f"  see {page}"


def _name(receiver: str | None, unknown: str = "a receiver that cannot be told") -> str:
    return NAMES.get(receiver or "", receiver or unknown)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _span(seconds: float) -> str:
    if abs(seconds) < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if abs(minutes) < 120 else f"{minutes / 60:.1f} h"
