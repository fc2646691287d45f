"""Marks of mailbox providers' own filters: Gmail, Yahoo, iCloud, GMX, Proton, Fastmail.

Each reader takes the whole header block and returns its filter's verdict, or None if the
filter left no mark. What none understands of its own fields is left to `facts` to show.
"""

import re
from collections.abc import Callable, Sequence

from monitor.evidence import gateways, pages, points
from monitor.evidence.fields import HeaderField, first
from monitor.evidence.verdict import Fact, Judged, Verdict

_SCORE = re.compile(r"[-+]?\d{1,6}(?:\.\d{1,9})?")
_HIT = re.compile(r"([A-Z][A-Z0-9_]{1,80})\s{1,3}(-?\d{1,4}(?:\.\d{1,4})?)(?![\w.])")
_ANTISPAM = re.compile(r"\s{0,5}(-?\d{1,5})\s{0,5}\(([^()]{0,100})\)")
MAX_SYMBOLS = 300


def gmail(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Gm-Spam and X-Gm-Phishy, which Google Workspace adds if its admin wants them."""
    spam, phishy = _flag(first(fields, "X-Gm-Spam")), _flag(first(fields, "X-Gm-Phishy"))
    if spam is None and phishy is None:
        return None
    judged = Judged.PHISH if phishy else Judged.SPAM if spam else Judged.CLEAN
    meaning = f"Gmail took it for {judged.taken_for}."
    return Verdict("gmail", {"spam": spam, "phishy": phishy}, judged, meaning, pages.GMAIL_HEADERS)


def yahoo(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-YahooFilteredBulk is there only on mail that went to the Bulk folder."""
    bulk, weights = first(fields, "X-YahooFilteredBulk"), first(fields, "X-YMailISG")
    if bulk is None and weights is None:
        return None
    judged = Judged.CLEAN if bulk is None else Judged.SPAM
    facts: dict[str, Fact] = {"filtered_bulk": bulk[:100] if bulk is not None else None}
    return Verdict("yahoo", facts, judged, f"Yahoo took it for {judged.taken_for}.")


def icloud(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Apple-MoveToFolder names the folder that the filter chose."""
    folder, score = first(fields, "X-Apple-MoveToFolder"), first(fields, "X-ICL-SCORE")
    if folder is None and score is None:
        return None
    by_folder = {"junk": Judged.SPAM, "inbox": Judged.CLEAN}
    judged = by_folder.get((folder or "").strip().lower(), Judged.UNKNOWN)
    facts: dict[str, Fact] = {"folder": folder[:100] if folder else None, "score": _score(score)}
    return Verdict("icloud", facts, judged, _taken("iCloud", judged), pages.APPLE_POSTMASTER)


def gmx(fields: Sequence[HeaderField]) -> Verdict | None:
    """UI-InboundReport (GMX, WEB.DE), X-UI-Filterresults before: junk, notjunk or unknown.

    X-GMX-Antispam has a number and words: 0 is mail that was not taken for spam, below 0
    the filter did not look, and above 0 is the kind of spam.
    """
    value = first(fields, "UI-InboundReport") or first(fields, "X-UI-Filterresults")
    older = first(fields, "X-GMX-Antispam")
    if value is None and older is None:
        return None
    result = (value or "").split(":")[0].strip().lower()[:30]
    words = _ANTISPAM.match(older or "")
    number = int(words[1]) if words else None
    judged = {"junk": Judged.SPAM, "notjunk": Judged.CLEAN}.get(result, Judged.UNKNOWN)
    if result in {"", "unknown"} and number is not None and number >= 0:
        judged = Judged.SPAM if number else Judged.CLEAN
    facts: dict[str, Fact] = {"filterresults": result or None}
    if words:
        facts |= {"antispam": number, "antispam_words": words[2]}
    return Verdict("gmx", facts, judged, _taken("GMX", judged), pages.GMX_ERRORS)


def proton(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Pm-Spamscore, and X-Pm-Spam-Action where it did something."""
    score, action = first(fields, "X-Pm-Spamscore"), first(fields, "X-Pm-Spam-Action")
    if score is None and action is None:
        return None
    by_action = {"spam": Judged.SPAM, "phishing": Judged.PHISH}
    by_action |= dict.fromkeys(("", "inbox"), Judged.CLEAN)
    judged = by_action.get((action or "").strip().lower(), Judged.UNKNOWN)
    facts: dict[str, Fact] = {"score": _score(score), "action": action[:50] if action else None}
    return Verdict("proton", facts, judged, _taken("Proton Mail", judged), pages.PROTON_SPAM)


def fastmail(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Spam-score and X-Spam-hits ("BAYES_00 -1.9, ..."); by default 5 points go to Spam.

    X-Spam-known-sender is yes for senders in the address book, who are not filtered.
    """
    hits, known = first(fields, "X-Spam-hits"), first(fields, "X-Spam-known-sender")
    if hits is None and known is None:
        return None
    score = _score(first(fields, "X-Spam-score"))
    symbols = {match[1]: float(match[2]) for match in _HIT.finditer(hits or "")}
    is_known = (known or "").strip().lower().startswith("yes")
    facts: dict[str, Fact] = {
        "score": score,
        "required": 5.0,
        "symbols": dict(list(symbols.items())[:MAX_SYMBOLS]),
        "known_sender": is_known if known is not None else None,
        "contaminated": is_known,
    }
    judged = Judged.UNKNOWN
    if score is not None and not is_known:
        judged = Judged.SPAM if score >= 5 else Judged.CLEAN
    shown = f" ({score:g} points; by default 5 make spam)" if score is not None else ""
    meaning = _taken("Fastmail", judged).removesuffix(".") + shown + "."
    if is_known:
        meaning = "The sender is in the recipient's address book, so Fastmail did not filter it."
    return Verdict("fastmail", facts, judged, meaning, pages.FASTMAIL)


def flagged(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Spam-Flag: YES, where its writer gives no name: many filters write it."""
    if (first(fields, "X-Spam-Flag") or "").strip().upper() != "YES":
        return None
    meaning = "A filter that does not give its name took it for spam (X-Spam-Flag)."
    return Verdict("spam-flag", {"flag": "YES"}, Judged.SPAM, meaning)


READERS: tuple[Callable[[Sequence[HeaderField]], Verdict | None], ...] = (
    gmail,
    yahoo,
    icloud,
    gmx,
    proton,
    fastmail,
    points.rspamd,
    points.spamassassin,
    points.barracuda,
    gateways.proofpoint,
    gateways.mimecast,
    gateways.cisco,
)


def _taken(name: str, judged: Judged) -> str:
    if judged is Judged.UNKNOWN:
        return f"{name} left no verdict that we can read."
    return f"{name} took it for {judged.taken_for}."


def _score(text: str | None) -> float | None:
    match = _SCORE.match((text or "").strip())
    return float(match[0]) if match else None


def _flag(text: str | None) -> bool | None:
    return {"1": True, "0": False}.get((text or "").strip())
