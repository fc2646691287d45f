"""Marks of other filters: Gmail, Yahoo, iCloud, GMX, Proton, SpamAssassin, Rspamd.

Each reader takes the whole header block and returns its filter's verdict, or None if the
filter left no mark. What none understands of its own fields is left to `facts` to show.
"""

import re
from collections.abc import Callable, Sequence

from monitor.evidence.fields import HeaderField, first
from monitor.evidence.verdict import Fact, Judged, Verdict

_SCORE = re.compile(r"[-+]?\d{1,6}(?:\.\d{1,9})?")
_ASSASSIN = re.compile(r"\b(score|hits|required|tests)\s{0,5}=\s{0,5}", re.IGNORECASE)
_TEST = re.compile(r"([A-Z][A-Z0-9_]{1,80})(?:=([-+]?\d{1,6}(?:\.\d{1,9})?))?")
_RSPAMD = re.compile(
    r"(?:[\w.-]{1,50}:\s{0,5})?(True|False)\s{0,5}\[\s{0,5}(\S{1,15})\s{0,5}/\s{0,5}(\S{1,15})\s{0,5}\]"
)
_SYMBOL = re.compile(r";\s{0,20}([A-Z][A-Z0-9_]{1,80})\(([-+]?\d{1,6}(?:\.\d{1,9})?)\)")
MAX_SYMBOLS = 300

# Rspamd's actions, by what they do to mail that is let in.
_RSPAMD_SPAM = frozenset({"add header", "rewrite subject", "soft reject", "reject", "quarantine"})
_RSPAMD_CLEAN = frozenset({"no action", "greylist"})


def gmail(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Gm-Spam and X-Gm-Phishy, which Google Workspace adds if its admin wants them."""
    spam, phishy = _flag(first(fields, "X-Gm-Spam")), _flag(first(fields, "X-Gm-Phishy"))
    if spam is None and phishy is None:
        return None
    judged = Judged.PHISH if phishy else Judged.SPAM if spam else Judged.CLEAN
    return Verdict(
        "gmail", {"spam": spam, "phishy": phishy}, judged, f"Gmail took it for {judged}."
    )


def yahoo(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-YahooFilteredBulk is there only on mail that went to the Bulk folder."""
    bulk, weights = first(fields, "X-YahooFilteredBulk"), first(fields, "X-YMailISG")
    if bulk is None and weights is None:
        return None
    judged = Judged.CLEAN if bulk is None else Judged.SPAM
    facts: dict[str, Fact] = {"filtered_bulk": bulk[:100] if bulk is not None else None}
    return Verdict("yahoo", facts, judged, f"Yahoo took it for {judged}.")


def icloud(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Apple-MoveToFolder names the folder that the filter chose."""
    folder, score = first(fields, "X-Apple-MoveToFolder"), first(fields, "X-ICL-SCORE")
    if folder is None and score is None:
        return None
    by_folder = {"junk": Judged.SPAM, "inbox": Judged.CLEAN}
    judged = by_folder.get((folder or "").strip().lower(), Judged.UNKNOWN)
    facts: dict[str, Fact] = {"folder": folder[:100] if folder else None, "score": _score(score)}
    return Verdict("icloud", facts, judged, f"iCloud took it for {judged}.")


def gmx(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-UI-Filterresults (GMX, WEB.DE): junk, notjunk or unknown, then a weight."""
    value = first(fields, "X-UI-Filterresults")
    if value is None:
        return None
    result = value.split(":")[0].strip().lower()[:30]
    judged = {"junk": Judged.SPAM, "notjunk": Judged.CLEAN}.get(result, Judged.UNKNOWN)
    return Verdict("gmx", {"filterresults": result}, judged, f"GMX took it for {judged}.")


def proton(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Pm-Spamscore, and X-Pm-Spam-Action where it did something."""
    score, action = first(fields, "X-Pm-Spamscore"), first(fields, "X-Pm-Spam-Action")
    if score is None and action is None:
        return None
    by_action = {"spam": Judged.SPAM, "phishing": Judged.PHISH, "": Judged.CLEAN}
    judged = by_action.get((action or "").strip().lower(), Judged.UNKNOWN)
    facts: dict[str, Fact] = {"score": _score(score), "action": action[:50] if action else None}
    return Verdict("proton", facts, judged, f"Proton Mail took it for {judged}.")


def spamassassin(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Spam-Status: "Yes, score=7.1 required=5.0 tests=A,B=0.5 autolearn=no"."""
    value = first(fields, "X-Spam-Status")
    word = (value or "").strip()[:3].lower()
    if value is None or not (word == "yes" or word.startswith("no")) or _is_rspamd(fields):
        return None
    is_spam = word == "yes"
    parts = _assassin_parts(value)
    score, required = _score(parts.get("score", parts.get("hits"))), _score(parts.get("required"))
    tests = list(_TEST.finditer(parts.get("tests", "")))[:MAX_SYMBOLS]
    facts: dict[str, Fact] = {
        "score": score,
        "required": required,
        "symbols": {m[1]: float(m[2]) if m[2] else None for m in tests},
    }
    judged = Judged.SPAM if is_spam else Judged.CLEAN
    return Verdict("spamassassin", facts, judged, _scored("SpamAssassin", judged, score, required))


def rspamd(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Spamd-Result: "default: True [7.10 / 15.00]; SYMBOL(1.50)[options]; ..."."""
    if not _is_rspamd(fields):
        return None
    result = first(fields, "X-Spamd-Result") or ""
    head = _RSPAMD.match(result)
    action = (first(fields, "X-Rspamd-Action") or "").strip().lower()[:50]
    symbols = list(_SYMBOL.finditer(result))[:MAX_SYMBOLS]
    score = _score(head[2] if head else first(fields, "X-Rspamd-Score"))
    required = _score(head[3] if head else None)
    facts: dict[str, Fact] = {
        "score": score,
        "required": required,
        "action": action or None,
        "symbols": {match[1]: float(match[2]) for match in symbols},
    }
    judged = _rspamd_judged(fields, action, head[1] if head else "")
    return Verdict("rspamd", facts, judged, _scored("Rspamd", judged, score, required))


READERS: tuple[Callable[[Sequence[HeaderField]], Verdict | None], ...] = (
    gmail,
    yahoo,
    icloud,
    gmx,
    proton,
    rspamd,
    spamassassin,
)


def _is_rspamd(fields: Sequence[HeaderField]) -> bool:
    names = {"x-spamd-result", "x-rspamd-action", "x-rspamd-score"}
    return any(field.key in names for field in fields)


def _rspamd_judged(fields: Sequence[HeaderField], action: str, is_spam: str) -> Judged:
    if action in _RSPAMD_SPAM or (not action and is_spam == "True"):
        return Judged.SPAM
    if (first(fields, "X-Spam") or "").strip().lower() == "yes":
        return Judged.SPAM
    return Judged.CLEAN if action in _RSPAMD_CLEAN or is_spam == "False" else Judged.UNKNOWN


def _assassin_parts(value: str) -> dict[str, str]:
    """Values by name; `tests` may be folded, so that blanks stand between its items."""
    marks = list(_ASSASSIN.finditer(value))[:20]
    ends = [*(mark.start() for mark in marks[1:]), len(value)]
    found: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=False):
        found.setdefault(mark[1].lower(), value[mark.end() : end].strip())
    if "tests" in found:
        found["tests"] = re.split(r"\s[a-z_]{1,20}=", found["tests"])[0]
    return found


def _scored(name: str, judged: Judged, score: float | None, required: float | None) -> str:
    against = f"; {required:g} make spam" if required is not None else ""
    points = f" ({score:g} points{against})" if score is not None else ""
    return f"{name} took it for {judged}{points}."


def _score(text: str | None) -> float | None:
    match = _SCORE.match((text or "").strip())
    return float(match[0]) if match else None


def _flag(text: str | None) -> bool | None:
    return {"1": True, "0": False}.get((text or "").strip())
