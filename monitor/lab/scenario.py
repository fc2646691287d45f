"""Scenarios: TOML to rules, with errors that a person can mend."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from importlib.resources import files
from typing import TypeVar

from monitor.core.errors import BadInputError
from monitor.lab.providers import PROFILES
from monitor.lab.rules import Action, Draw, Rule

SPAN = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?(?:(\d{1,6})ms)?")
WHEN = {"action", "name", "provider", "from", "until"}
WHOM = {"recipient", "fraction"}
WHAT = WHOM | {"url_domain", "sender_domain", "draw"}
DUE = {"delay", "at", "spread"}

KEYS: Mapping[Action, set[str]] = {
    Action.SPAM: WHAT,
    Action.QUARANTINE: WHAT,
    Action.DROP: WHAT,
    Action.TRUST: WHAT,
    Action.TAB: WHAT | {"tab"},
    Action.DELAY: WHAT | DUE,
    Action.ZAP: WHAT | DUE | {"unread_only"},
    Action.RESTORE: WHAT | DUE,
    Action.DUPLICATE: WHAT,
    Action.AUTH_FAIL: WHAT,
    Action.REWRITE_LINKS: WHAT,
    Action.BLOCK_LINK: {"url_domain"},
    Action.DEFER: WHAT | {"text"},
    Action.REJECT: WHAT | {"text"},
    Action.GREYLIST: WHOM | {"sender_domain", "delay", "text"},
    Action.RCPT_REJECT: WHOM | {"sender_domain", "text"},
    Action.FULL: WHOM | {"text"},
    Action.SMTP_REFUSE: {"text"},
    Action.IMAP_OUTAGE: set(),
    Action.IMAP_SLOW: WHOM | {"wait"},
    Action.IMAP_BUSY: WHOM | {"text"},
    Action.IMAP_LOCK: WHOM | {"text"},
    Action.IMAP_LIMIT: WHOM | {"connections"},
    Action.IMAP_REVALIDATE: WHOM,
    Action.API_BUSY: {"delay"},
    Action.API_LATE: {"delay"},
    Action.ADVISORY: {"id", "title", "text", "published_after", "resolved_after"},
}
NEEDED: Mapping[Action, set[str]] = {
    Action.TAB: {"tab"},
    Action.BLOCK_LINK: {"url_domain"},
    Action.IMAP_SLOW: {"wait"},
    Action.ADVISORY: {"id", "provider"},
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the simulated providers will do."""

    name: str
    about: str
    rules: tuple[Rule, ...]

    @classmethod
    def bundled(cls, name: str) -> "Scenario":
        """Return one of the scenarios that come with Seedwatch.

        Raises:
            BadInputError: there is none of this name.
        """
        folder = files("monitor.lab") / "scenarios"
        names = sorted(f.name.removesuffix(".toml") for f in folder.iterdir())
        if name not in names:
            raise BadInputError("scenario", name, "is not one of ours", remedy=nearest(name, names))
        return load_scenario((folder / f"{name}.toml").read_text("utf-8"), name=name)

    def next_change(self, elapsed: timedelta) -> timedelta | None:
        """When, after *elapsed*, a rule begins or ends next."""
        edges = [
            edge
            for r in self.rules
            for edge in (r.starts, r.until, *_advisory_edges(r))
            if edge is not None and edge > elapsed
        ]
        return min(edges, default=None)


def _advisory_edges(rule: Rule) -> tuple[timedelta | None, ...]:
    if rule.action is not Action.ADVISORY:
        return ()
    resolved = None if rule.resolved_after is None else rule.starts + rule.resolved_after
    return (rule.starts + rule.published_after, resolved)


def load_scenario(text: str, *, name: str) -> Scenario:
    """Read a scenario; *name* stands in errors, and in for one that the file does not give.

    Raises:
        BadInputError: not TOML, an unknown key, or a value that cannot be.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(
            "scenario", name, f"is not TOML ({error})", remedy="Mend the line named above."
        ) from error
    check_keys(data, {"name", "about", "rule"}, f"scenario {name}")
    tables = data.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise BadInputError("rule", str(tables), "is not a list", remedy="Write [[rule]] tables.")
    rules = tuple(_rule(table, number) for number, table in enumerate(tables, start=1))
    for rule in rules:
        if sum(r.name == rule.name for r in rules) > 1:
            raise BadInputError("name", rule.name, "stands twice", remedy="Name each rule once.")
    title = Reader(data, f"scenario {name}")
    return Scenario(title.text("name") or name, title.text("about"), rules)


def _rule(table: Mapping[str, object], number: int) -> Rule:
    where = f"rule {number}"
    read = Reader(table, where)
    action = read.word("action", Action)
    if action is None:
        raise BadInputError(
            f"{where}: action", "", "is missing", remedy="Say what happens: action = ..."
        )
    check_keys(table, WHEN | KEYS[action], f"{where} ({action})")
    for key in sorted(NEEDED.get(action, set()) - table.keys()):
        raise BadInputError(
            f"{where}: {key}", "", f"is missing; {action} needs it", remedy=f"Add {key} = ..."
        )
    return Rule(
        name=read.text("name") or f"{number} {action}",
        action=action,
        providers=read.providers(),
        starts=read.span("from") or timedelta(0),
        until=read.span("until"),
        url_domain=read.text("url_domain").lower(),
        sender_domain=read.text("sender_domain").lower(),
        recipient=read.text("recipient").lower(),
        fraction=read.share("fraction"),
        draw=read.word("draw", Draw) or Draw.COPY,
        delay=read.span("delay"),
        at=read.span("at"),
        spread=read.span("spread") or timedelta(0),
        wait=read.span("wait") or timedelta(0),
        text=read.text("text"),
        tab=read.text("tab").lower(),
        unread_only=read.truth("unread_only"),
        connections=read.count("connections"),
        id=read.text("id"),
        title=read.text("title"),
        published_after=read.span("published_after") or timedelta(0),
        resolved_after=read.span("resolved_after"),
    )


WordT = TypeVar("WordT", bound=StrEnum)
ValueT = TypeVar("ValueT")


class Reader:
    """Reads the values of one table, naming the place in every error."""

    def __init__(self, table: Mapping[str, object], where: str) -> None:
        self._table = table
        self._where = where

    def text(self, key: str) -> str:
        return self._get(key, "", lambda v: v if isinstance(v, str) else None, "a string")

    def truth(self, key: str) -> bool:
        return self._get(key, False, lambda v: v if isinstance(v, bool) else None, "true or false")

    def count(self, key: str) -> int:
        return self._get(key, 1, _as_count, "a whole number of at least 1")

    def share(self, key: str) -> float:
        return self._get(key, 1.0, _as_share, "a number from 0 to 1")

    def span(self, key: str) -> timedelta | None:
        return self._get(key, None, as_span, 'a span such as "90m" or "1d6h"')

    def word(self, key: str, words: type[WordT]) -> WordT | None:
        value = self.text(key)
        if not value:
            return None
        if value not in words.__members__.values():
            raise BadInputError(
                f"{self._where}: {key}",
                value,
                "is not known",
                remedy=nearest(value, [str(w) for w in words]),
            )
        return words(value)

    def providers(self) -> frozenset[str]:
        value = self._table.get("provider", [])
        ids = value if isinstance(value, list) else [value]
        for one in ids:
            if one not in PROFILES:
                raise BadInputError(
                    f"{self._where}: provider",
                    str(one),
                    "is not a provider of the lab",
                    remedy=nearest(str(one), list(PROFILES)),
                )
        return frozenset(ids)

    def _get(
        self,
        key: str,
        default: ValueT,
        convert: Callable[[object], ValueT | None],
        wanted: str,
    ) -> ValueT:
        if key not in self._table:
            return default
        value = convert(self._table[key])
        if value is None:
            raise BadInputError(
                f"{self._where}: {key}",
                str(self._table[key]),
                f"is not {wanted}",
                remedy=f"Write {wanted}.",
            )
        return value


def as_span(value: object) -> timedelta | None:
    """Read "1d2h3m4s5ms", any part of it but not none; None if it is something else."""
    found = SPAN.fullmatch(value) if isinstance(value, str) and value else None
    if found is None:
        return None
    days, hours, minutes, seconds, thousandths = (int(part or 0) for part in found.groups())
    return timedelta(
        days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=thousandths
    )


def _as_count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None


def _as_share(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)


def check_keys(table: Mapping[str, object], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise BadInputError(where, key, "is not a key here", remedy=nearest(key, list(known)))


def nearest(word: str, words: list[str]) -> str:
    """Say which of *words* was probably meant, or name them all."""
    close = get_close_matches(word, words, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(sorted(words))}."
