"""The demo on the terminal: how far it is, what it sees, what it found."""

import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from typing import TextIO

from monitor.core.incidents import State
from monitor.core.placements import Placement
from monitor.core.seeds import ProviderFacts
from monitor.demo.report import Report
from monitor.demo.story import ReadAlert
from monitor.store.placed import SHOWN, Placed

BAR = 30  # characters
LABELS = {
    Placement.INBOX: "inbox",
    Placement.TAB: "tab",
    Placement.SPAM: "spam",
    Placement.QUARANTINE: "quarant.",
    Placement.REJECTED: "rejected",
    Placement.MISSING: "missing",
    Placement.REMOVED: "removed",
}


class Show:
    """Writes lines to *out*; a line of progress is drawn over where *out* is a terminal."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stderr
        self._is_live = self.out.isatty()
        self._last_hour = -1

    def say(self, text: str = "") -> None:
        """Write one line."""
        self._wipe()
        self.out.write(text + "\n")
        self.out.flush()

    def progress(self, elapsed: timedelta, total: timedelta, copies: int, looks: int) -> None:
        """Show how far lab time has come; without a terminal, once per four lab hours."""
        hours = int(elapsed / timedelta(hours=1))
        share = min(1.0, elapsed / total)
        text = f"lab time +{hours:2d} h  {copies:,} copies sent, {looks:,} sightings"
        if self._is_live:
            bar = "#" * round(share * BAR)
            self.out.write(f"\r  [{bar:<{BAR}}] {text}\x1b[K")
            self.out.flush()
        elif hours // 4 != self._last_hour // 4:
            self.say(f"  {text}")
        self._last_hour = hours

    def event(self, at: datetime, state: str, sentence: str) -> None:
        """Show a change in an incident as it happens."""
        self.say(f"  {at:%d %b %H:%M} UTC  {state.upper():<10} {sentence}")

    def table(
        self, title: str, rows: Mapping[str, Placed], facts: Mapping[str, ProviderFacts]
    ) -> None:
        """Show the placement table: first and current shares in percent of decided copies."""
        self.say()
        self.say(title)
        head = "".join(f"{LABELS[p]:>10}" for p in SHOWN)
        self.say(f"  {'provider':<22}{'copies':>7}{head}   first seen in inbox or tab")
        for name, placed in rows.items():
            known = facts[name].name if name in facts else name
            self.say(f"  {known:<22}{placed.n:>7}{_cells(placed)}{_first(placed):>10}")
        self.say()

    def verdict(self, report: Report) -> None:
        """Show each check of the story, and what stood against it."""
        for check in report.checks:
            self.say(f"  [{'ok' if check.holds else 'NO'}] {check.says}")
            if not check.holds and check.because:
                self.say(f"       found: {check.because}")

    def alert(self, alert: ReadAlert) -> None:
        """Show one alert as it was read back from its recipient's mailbox."""
        self.say(f"  --- read back by IMAP from {alert.to} ---")
        for line in [f"Subject: {alert.subject}", "", *_plain(alert.text).splitlines()]:
            self.say(f"  | {line}")
        self.say("  ---")

    def _wipe(self) -> None:
        if self._is_live:
            self.out.write("\r\x1b[K")


def _cells(placed: Placed) -> str:
    if not placed.n:
        return f"{'no data':>10}".ljust(10 * len(SHOWN))
    return "".join(
        f"{placed.current[p] * 100:>9.0f}%" if placed.current[p] else f"{'·':>10}" for p in SHOWN
    )


def _first(placed: Placed) -> str:
    if not placed.n:
        return ""
    arrived = placed.first[Placement.INBOX] + placed.first[Placement.TAB]
    return f"{arrived * 100:.0f}%"


def _plain(raw: str) -> str:
    """The plain text of a mail that was read back."""
    message = message_from_bytes(raw.encode("utf-8", "replace"), policy=policy.default)
    body = message.get_body(preferencelist=("plain",))
    return str(body.get_content()) if body is not None else raw


def first_of_each(report: Report) -> list[ReadAlert]:
    """One alert per incident and state: enough to show."""
    seen: set[tuple[str, State]] = set()
    chosen = []
    for alert in report.alerts:
        if (alert.incident, alert.state) not in seen:
            seen.add((alert.incident, alert.state))
            chosen.append(alert)
    return chosen
