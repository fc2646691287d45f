"""How values look on a page: times, shares, and words that strangers wrote."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from markupsafe import Markup, escape

# Controls, marks that turn the direction of writing, and halves of characters: they can
# make a line say something else than it holds, or make a page impossible to encode.
_UNSHOWABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+"
)
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")


def clean(text: str, limit: int = 160) -> str:
    """Return *text* on one line, without marks that mislead, at most *limit* characters."""
    shown = _UNSHOWABLE.sub(" ", text[: limit * 4]).strip()
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def foreign(text: object, limit: int = 160) -> Markup:
    """Show what a stranger wrote: cleaned, escaped, and kept apart from our own words."""
    return Markup("<bdi>{}</bdi>").format(clean(str(text), limit))


def spoken(sentence: str, limit: int = 400) -> Markup:
    """Show the judge's *sentence*: strangers' words in it, and times as on all our pages."""
    words = str(escape(clean(sentence, limit)))
    return Markup("<bdi>{}</bdi>").format(Markup(_STAMP.sub(_restamped, words)))  # noqa: S704


def _restamped(found: re.Match[str]) -> str:
    try:
        return str(moment(datetime.strptime(found[0], "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC)))
    except ValueError:  # a stranger's digits
        return found[0]


def percent(share: float) -> str:
    """0.624 -> "62 %". What is nearly all or nearly nothing is never rounded to it."""
    shown = round(share * 100)
    if shown == 100 and share < 1:
        return "over 99 %"
    if shown == 0 and share > 0:
        return "under 1 %"
    return f"{shown} %"


def percent_range(low: float, high: float) -> str:
    """(0.481, 0.752) -> "48–75 %"."""
    return f"{round(low * 100)}–{round(high * 100)} %"


def moment(at: datetime, *, seconds: bool = False) -> Markup:
    """A time in UTC, for people and for machines."""
    at = at.astimezone(UTC)
    clock = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    text = f"{at.day} {at:%b %Y}, {clock} UTC"
    return Markup('<time datetime="{}">{}</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", text)


def between(low: datetime, high: datetime) -> Markup:
    """Two times in UTC; the day is said once if it is the same."""
    low, high = low.astimezone(UTC), high.astimezone(UTC)
    if low.date() != high.date():
        return Markup("{} and {}").format(moment(low), moment(high))
    return Markup('<time datetime="{}">{}</time> and <time datetime="{}">{} UTC</time>').format(
        f"{low:%Y-%m-%dT%H:%M:%SZ}", f"{low:%H:%M}", f"{high:%Y-%m-%dT%H:%M:%SZ}", f"{high:%H:%M}"
    )


def span(length: timedelta) -> str:
    """A length of time as people say it: "3 min", "2 h 5 min", "42 h", "4 d"."""
    seconds = int(abs(length).total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours > 72:
        return f"{round(hours / 24)} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def ago(at: datetime, now: datetime) -> Markup:
    """How long ago *at* was, with the time itself for machines and on hover."""
    at = at.astimezone(UTC)
    stamp, text = f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M:%S} UTC"
    words = f"in {span(at - now)}" if at > now else f"{span(now - at)} ago"
    if abs(now - at) < timedelta(seconds=1):
        words = "now"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(stamp, text, words)


def worth(n_eff: float) -> str:
    """An effective number of copies: "6.2", "174"."""
    return f"{n_eff:.1f}" if n_eff < 20 else f"{n_eff:.0f}"


def listed(names: Iterable[str]) -> str:
    """("a", "b", "c") -> "a, b and c"."""
    *rest, last = list(names) or [""]
    return f"{', '.join(rest)} and {last}" if rest else last


def counted(n: int, one: str, many: str = "") -> str:
    """(1, "copy", "copies") -> "1 copy"."""
    return f"{n} {one if n == 1 else many or one + 's'}"


FILTERS = {
    "foreign": foreign,
    "spoken": spoken,
    "percent": percent,
    "percent_range": percent_range,
    "moment": moment,
    "between": between,
    "span": span,
    "worth": worth,
    "ago": ago,
    "listed": listed,
    "counted": counted,
}
