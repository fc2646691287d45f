"""Draw the small picture of a digest: which share of the copies arrived, day by day."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

# Twice the size at which it is shown, so that it is sharp on phones.
WIDTH, HEIGHT = 1184, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 96, 24, 28, 60
# It has a ground of its own: mail programs leave pictures as they are in the dark.
_GROUND, _INK, _LINE, _BAR, _LOW = "#ffffff", "#1b2430", "#c9ced6", "#2563c9", "#b3261e"
_POOR = 0.8  # below, a bar has the other colour, and always its number above
_FONT_SIZE = 24
MAX_DAYS = 31


@dataclass(frozen=True, slots=True)
class Day:
    """The copies of one day. `n` 0 is no data, and no bar."""

    day: str  # as it is to be written: "2 Mar"
    n: int
    arrived: int

    @property
    def share(self) -> float | None:
        return self.arrived / self.n if self.n else None


def told(days: Sequence[Day]) -> str:
    """What the picture shows, in words, for those who do not see it."""
    shares = [f"{d.day} {_percent(d.share)}" for d in days if d.share is not None]
    return "Share in the inbox by day: " + (", ".join(shares) if shares else "no data") + "."


def drawn(days: Sequence[Day]) -> bytes:
    """Return a PNG; the same days give the same bytes."""
    days = days[-MAX_DAYS:]
    picture = Image.new("RGB", (WIDTH, HEIGHT), _GROUND)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(_FONT_SIZE)
    for share in (0.0, 0.5, 1.0):
        y = _height(share)
        draw.line((_LEFT, y, WIDTH - _RIGHT, y), fill=_LINE, width=2)
        draw.text((_LEFT - 12, y), _percent(share), fill=_INK, font=font, anchor="rm")
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(days))
    for i, day in enumerate(days):
        _bar(draw, font, day, _LEFT + i * step, step)
    out = io.BytesIO()
    picture.quantize(32).save(out, "PNG", optimize=True)
    return out.getvalue()


def _bar(
    draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, day: Day,
    left: float, step: float,
) -> None:  # fmt: skip
    middle = left + step / 2
    draw.text((middle, HEIGHT - _BOTTOM + 14), day.day, fill=_INK, font=font, anchor="mt")
    if day.share is None:
        return
    top = _height(day.share)
    colour = _BAR if day.share >= _POOR else _LOW
    draw.rectangle((left + step * 0.2, top, left + step * 0.8, _height(0)), fill=colour)
    if day.share < _POOR:
        draw.text((middle, top - 6), _percent(day.share), fill=_INK, font=font, anchor="mb")


def _height(share: float) -> float:
    return _TOP + (1 - share) * (HEIGHT - _TOP - _BOTTOM)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
