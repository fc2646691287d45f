"""The fields of a stream's records: read, bounded, and what is said of those that are none."""

from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 300  # characters of a name
MOST_LOOKS = 1000  # checks of one campaign at one provider


class RecordError(ValueError):
    """A record that cannot be understood: which field, and what is wrong with it."""


def shown(value: object) -> str:
    """The beginning of a value for an error; what is nested is not looked into: it may be deep."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return repr(str(value)[:40])


def list_in(record: Mapping[str, Any], name: str) -> Sequence[Any]:
    """Return the list that *record* has in field *name*; without one, a RecordError."""
    value = record.get(name)
    if not isinstance(value, list):
        raise RecordError(f"{name}: is missing or no list")
    return value


def text_in(value: object, name: str) -> str:
    """Return *value*, which field *name* holds, if it is a name; else, a RecordError."""
    if not isinstance(value, str) or not value or len(value) > LONGEST:
        raise RecordError(f"{name}: {shown(value)} is no name")
    return value


def group_in(value: object) -> str:
    """Return a seed's region, which may be told by a number; "" if it has none."""
    if value is None or value == "":
        return ""
    return text_in(str(value) if type(value) is int else value, "group")


def look_in(record: Mapping[str, Any]) -> int:
    """Return the number of a check, which is its first if *record* does not tell it."""
    look = record.get("chk", 0)
    if isinstance(look, bool) or not isinstance(look, int) or not 0 <= look < MOST_LOOKS:
        raise RecordError("chk: is not the number of a check")
    return look
