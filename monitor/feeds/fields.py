"""Reads single fields of what providers publish. Never raises: a field is what it should be or
nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from monitor.bounded_http import Json

MAX_ID = 64  # characters of an advisory's id
MAX_RAW = 100_000  # characters of one advisory as JSON
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text(row: Mapping[str, Json], key: str) -> str:
    value = row.get(key)
    return value.strip() if isinstance(value, str) else ""


def rows(value: Json) -> list[Mapping[str, Json]]:
    """The objects of a list; nothing of what is no list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def moment(value: Json) -> datetime | None:
    """A time in ISO 8601 with its zone, as UTC."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return likely(at.astimezone(UTC)) if at is not None and at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def epoch(value: Json) -> datetime | None:
    """A time in milliseconds since 1970, as UTC."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return likely(_EPOCH + timedelta(milliseconds=value))
    except (ValueError, OverflowError):
        return None


def likely(at: datetime) -> datetime | None:
    """*at*, unless nobody can have meant it: it would break whoever reckons with it."""
    return at if 1990 <= at.year <= 2200 else None


def own_id(prefix: str, given: str) -> str:
    """An advisory's id where the feed's own ids could be anybody's: `google-3qcq6T`.

    What is too long, as an address, or cannot be shown is told by its digest.
    """
    if not given:
        return ""
    whole = f"{prefix}-{given}"
    if len(whole) <= MAX_ID and whole.isprintable() and " " not in whole:
        return whole
    digest = hashlib.blake2b(given.encode(errors="replace"), digest_size=8).hexdigest()
    return f"{prefix[: MAX_ID - 17]}-{digest}"


def as_published(row: Mapping[str, Json]) -> dict[str, object]:
    """The whole of one advisory to be kept, unknown fields too, but no more than its share."""
    whole = json.dumps(row, ensure_ascii=True, default=str)
    if len(whole) <= MAX_RAW:
        return dict(row)
    return {"cut": whole[:MAX_RAW]}
