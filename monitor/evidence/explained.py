"""All that a saved message tells, for a person or a program that asks about it.

The summary of `facts` (the contract of `seedwatch explain --json`), and beside it what each
code means, the slowest step of the way, and, if the message is a delivery report, what
became of the message that it is about.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from monitor.evidence import codes, dsn
from monitor.evidence.codes import Code
from monitor.evidence.facts import facts
from monitor.evidence.smtp_replies import Known
from monitor.evidence.telling import summary

MAX_SYMBOLS = 8


def explained(raw: bytes, known: Sequence[Known], trusted: Collection[str] = ()) -> dict[str, Any]:
    """Explain a message, or its headers alone. Never raises.

    Args:
        raw: as a mailbox saves it; CRLF or LF, with or without a mailbox file's "From "
            line. The body is looked at only for a delivery report, up to
            `parts.MAX_BYTES`.
        known: the table of known SMTP replies.
        trusted: authserv-ids under which the receiver always writes its results.
    Returns:
        the keys of `facts`, and `summary` (a sentence or two), `codes` (name, value,
        meaning, page, and of which filter; null is authentication), `slowest` (the hop
        that took longest) and `report` (see `dsn.told`; null if it is no delivery report).
    """
    raw = raw.lstrip(b"\r\n")
    told: dict[str, Any] = facts(raw, "", trusted)
    report = dsn.read(raw)
    checks = [(None, code) for code in codes.results(told["authentication"])]
    told["codes"] = [{"filter": name} | asdict(code) for name, code in [*checks, *_filters(told)]]
    told["slowest"] = _slowest(told["hops"])
    told["report"] = dsn.told(report, known) if report else None
    return {"summary": summary(told)} | told


def _filters(told: Mapping[str, Any]) -> list[tuple[str | None, Code]]:
    found: list[tuple[str | None, Code]] = []
    for one in told["filters"]:
        if one["name"] == "microsoft":
            found += [(one["name"], code) for code in codes.microsoft(one["facts"])]
        found += [(one["name"], code) for code in _symbols(one)]
    return found


def _symbols(one: Mapping[str, Any]) -> list[Code]:
    """The rules that weigh most, either way; those of unknown weight last."""
    symbols = one["facts"].get("symbols") or {}
    ranked = sorted(symbols.items(), key=lambda item: -abs(item[1] or 0))
    page = one["page"] if one["name"] in {"spamassassin", "rspamd"} else None
    return [
        Code(name, "" if points is None else f"{points:+g}", None, page)
        for name, points in ranked[:MAX_SYMBOLS]
    ]


def _slowest(hops: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    timed = [hop for hop in hops if hop["delay_s"] is not None and hop["delay_s"] > 0]
    return dict(max(timed, key=lambda hop: hop["delay_s"])) if timed else None
