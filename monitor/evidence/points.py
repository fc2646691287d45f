"""Filters that add up points: SpamAssassin, Rspamd, and Barracuda, which grew out of it.

Each reader takes the whole header block and returns its filter's verdict, or None if the
filter left no mark.
"""

import re
from collections.abc import Mapping, Sequence

from monitor.evidence import pages
from monitor.evidence.fields import HeaderField, first
from monitor.evidence.verdict import Fact, Judged, Verdict

MAX_SYMBOLS = 300

_POINTS = r"[-+]?\d{1,6}(?:\.\d{1,9})?"
_SCORE = re.compile(_POINTS)
_PART = re.compile(
    r"\b(score|hits|required|tests|autolearn|version|tag_level|quarantine_level|kill_level)"
    r"\s{0,5}=\s{0,5}",
    re.IGNORECASE,
)
_OTHER_PART = re.compile(r"\s[a-z_]{1,20}=")
_TEST = re.compile(rf"([A-Z][A-Z0-9_]{{1,80}})(?:=({_POINTS}))?")
_LISTED = re.compile(r"(?<![\w.-])(-?\d{1,4}\.\d{1,4})\s{1,5}([A-Z][A-Z0-9_]{2,80})(?!\w)")
_RSPAMD = re.compile(
    r"(?:[\w.-]{1,50}:\s{0,5})?(True|False)\s{0,5}\[\s{0,5}(\S{1,15})\s{0,5}/\s{0,5}(\S{1,15})\s{0,5}\]"
)
# Rspamd puts ";" between symbols, versions before 1.8 only a line break. What stands in an
# option, which may be a sender's words, is passed over with it.
_SYMBOL = re.compile(
    rf"(?<=[;\]])\s{{0,20}}([A-Za-z][A-Za-z0-9_]{{1,80}})\(({_POINTS})\)(?:\[[^\]]{{0,500}}\])?"
)
_REPORTED = re.compile(rf"(?<!\S)([A-Za-z][A-Za-z0-9_]{{1,80}})\(({_POINTS})\)")
_BAR = re.compile(r"(?:\+{1,100}|-{1,100}|/)")

# Rspamd's actions, by what they do to mail that is let in.
_RSPAMD_SPAM = frozenset({"add header", "rewrite subject", "soft reject", "reject", "quarantine"})
_RSPAMD_CLEAN = frozenset({"no action", "greylist"})
RSPAMD_MARKS = frozenset(
    {"x-spamd-result", "x-rspamd-action", "x-rspamd-score", "x-rspamd-report", "x-spamd-bar"}
    | {"x-rspamd-bar", "x-rspamd-server", "x-rspamd-queue-id"}
)


def spamassassin(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Spam-Status: "Yes, score=7.1 required=5.0 tests=A,B=0.5 autolearn=no version=4.0.1".

    X-Spam-Report lists the points of each rule, where the status does not.
    """
    value = first(fields, "X-Spam-Status")
    word = (value or "").strip()[:3].lower()
    if value is None or not (word == "yes" or word.startswith("no")):
        return None
    parts = _parts(value)
    if _is_rspamd(fields) and "required" not in parts:  # Rspamd writes this field too
        return None
    score, required = _score(parts.get("score", parts.get("hits"))), _score(parts.get("required"))
    facts: dict[str, Fact] = {
        "score": score,
        "required": required,
        "symbols": _tests(parts, first(fields, "X-Spam-Report")),
    }
    version = _version(parts, first(fields, "X-Spam-Checker-Version"))
    if version:
        facts["version"] = version
    judged = Judged.SPAM if word == "yes" else Judged.CLEAN
    meaning = _scored("SpamAssassin", judged, score, required)
    return Verdict("spamassassin", facts, judged, meaning, pages.SPAMASSASSIN_RULES)


def rspamd(fields: Sequence[HeaderField]) -> Verdict | None:
    """Rspamd, in the forms of its milter_headers module and of Exim and Haraka.

    X-Spamd-Result: "default: True [7.10 / 15.00]; SYMBOL(1.50)[options]; ...", or
    X-Rspamd-Score and X-Rspamd-Report: "SYMBOL(1.50) SYMBOL(-0.1)".
    """
    if not _is_rspamd(fields):
        return None
    result = first(fields, "X-Spamd-Result") or ""
    head = _RSPAMD.match(result)
    action = (first(fields, "X-Rspamd-Action") or "").strip().lower()[:50]
    status = first(fields, "X-Spam-Status") or ""
    symbols = _symbols(result) or [*_REPORTED.finditer(first(fields, "X-Rspamd-Report") or "")]
    score = _score(head[2] if head else first(fields, "X-Rspamd-Score"))
    if score is None:
        score = _score(_parts(status).get("score"))
    required = _score(head[3] if head else None)
    facts: dict[str, Fact] = {
        "score": score,
        "required": required,
        "action": action or None,
        "symbols": {match[1]: float(match[2]) for match in symbols[:MAX_SYMBOLS]},
    }
    facts |= _rspamd_more(fields)
    judged = _rspamd_judged(fields, action, head[1] if head else "", status)
    meaning = _rspamd_meaning(judged, score, required, action)
    return Verdict("rspamd", facts, judged, meaning, pages.RSPAMD)


def barracuda(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Barracuda-Spam-Status: "Yes, SCORE=4.1 using ... TAG_LEVEL=3.5 QUARANTINE_LEVEL=9.0
    KILL_LEVEL=1000.0 tests=A, B"; the levels are those of the organisation or the user."""
    value = first(fields, "X-Barracuda-Spam-Status")
    flag = (first(fields, "X-Barracuda-Spam-Flag") or "").strip().upper()
    if value is None and not flag:
        return None
    parts = _parts(value or "")
    levels = {name: _score(parts.get(name)) for name in ("tag_level", "quarantine_level")}
    score = _score(parts.get("score", first(fields, "X-Barracuda-Spam-Score")))
    facts: dict[str, Fact] = {"score": score, "required": levels["tag_level"]}
    facts |= levels
    facts["kill_level"] = _score(parts.get("kill_level"))
    facts["symbols"] = _tests(parts, first(fields, "X-Barracuda-Spam-Report"))
    is_spam = (value or "").strip()[:3].lower() == "yes" or flag == "YES"
    judged = _barracuda_judged(is_spam, value is not None, score, levels["quarantine_level"])
    meaning = _scored("Barracuda", judged, score, levels["tag_level"])
    if judged is Judged.QUARANTINED:
        meaning = (
            f"Barracuda's quarantine is for {levels['quarantine_level']:g} points and more,"
            f" and this has {score:g}."
        )
    return Verdict("barracuda", facts, judged, meaning)


def _barracuda_judged(
    is_spam: bool, has_status: bool, score: float | None, quarantine: float | None
) -> Judged:
    if is_spam and score is not None and quarantine is not None and score >= quarantine:
        return Judged.QUARANTINED
    if is_spam:
        return Judged.SPAM
    return Judged.CLEAN if has_status else Judged.UNKNOWN


def _symbols(result: str) -> list[re.Match[str]]:
    """The symbols of X-Spamd-Result, all after the same kind of separator."""
    found = [*_SYMBOL.finditer(result)]
    return [one for one in found if result[one.start() - 1] == result[found[0].start() - 1]]


def _is_rspamd(fields: Sequence[HeaderField]) -> bool:
    return any(field.key in RSPAMD_MARKS for field in fields)


def _rspamd_more(fields: Sequence[HeaderField]) -> dict[str, Fact]:
    """What only some installations write; only what is there."""
    told: dict[str, Fact] = {}
    bar = (first(fields, "X-Spamd-Bar") or first(fields, "X-Rspamd-Bar") or "").strip()
    if _BAR.fullmatch(bar):  # one sign a point, cut at the whole number; "/" is about 0
        told["bar"] = 0 if bar == "/" else len(bar) if bar[0] == "+" else -len(bar)
    server = first(fields, "X-Rspamd-Server")
    if server:
        told["server"] = server[:255]
    virus = first(fields, "X-Virus")
    if virus:
        told["virus"] = virus[:255]
    return told


def _rspamd_judged(fields: Sequence[HeaderField], action: str, is_spam: str, status: str) -> Judged:
    if first(fields, "X-Virus"):
        return Judged.MALWARE
    if action in _RSPAMD_SPAM or (not action and is_spam == "True"):
        return Judged.SPAM
    word = status.strip()[:3].lower()
    if word == "yes" or (first(fields, "X-Spam") or "").strip().lower() == "yes":
        return Judged.SPAM
    if action in _RSPAMD_CLEAN or is_spam == "False" or word[:2] == "no":
        return Judged.CLEAN
    return Judged.UNKNOWN


def _rspamd_meaning(
    judged: Judged, score: float | None, required: float | None, action: str
) -> str:
    """The second number of its result is where it refuses, not where spam begins."""
    against = f" of the {required:g} at which it refuses" if required is not None else ""
    points = [f"{score:g} points{against}"] if score is not None else []
    shown = "; ".join([*points, *([f'action "{action}"'] if action else [])])
    more = f" ({shown})" if shown else ""
    if judged is Judged.UNKNOWN:
        return f"Rspamd left no verdict that we can read{more}."
    return f"Rspamd took it for {judged.taken_for}{more}."


def _parts(value: str) -> dict[str, str]:
    """Values by name; `tests` may be folded, so that blanks stand between its items."""
    marks = [mark for _, mark in zip(range(20), _PART.finditer(value), strict=False)]
    ends = [*(mark.start() for mark in marks[1:]), len(value)]
    found: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=False):
        found.setdefault(mark[1].lower(), value[mark.end() : end].strip())
    if "tests" in found:
        found["tests"] = _OTHER_PART.split(found["tests"], maxsplit=1)[0]
    return found


def _tests(parts: Mapping[str, str], report: str | None) -> dict[str, float | None]:
    """Rules by name, with their points where the status or the report tells them."""
    listed = {match[2]: float(match[1]) for match in _LISTED.finditer(report or "")}
    found = {
        match[1]: float(match[2]) if match[2] else listed.get(match[1])
        for match in _TEST.finditer(parts.get("tests", ""))
    }
    merged = found or dict(listed)
    return dict(list(merged.items())[:MAX_SYMBOLS])


def _version(parts: Mapping[str, str], checker: str | None) -> str:
    """The program's version: "4.0.1" from the status, or the word after its name."""
    words = (parts.get("version") or "").split() or (checker or "").split()[1:]
    return words[0][:30] if words else ""


def _scored(name: str, judged: Judged, score: float | None, required: float | None) -> str:
    against = f"; {required:g} make spam" if required is not None else ""
    points = f" ({score:g} points{against})" if score is not None else ""
    if judged is Judged.UNKNOWN:
        return f"{name} left no verdict that we can read{points}."
    return f"{name} took it for {judged.taken_for}{points}."


def _score(text: str | None) -> float | None:
    match = _SCORE.match((text or "").strip())
    return float(match[0]) if match else None
