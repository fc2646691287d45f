"""What a person may enter of an advisory."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.entered import entered
from monitor.core.errors import BadInputError

NOW = datetime(2026, 2, 28, 8, 0, tzinfo=UTC)


def test_an_id_of_microsoft_s_is_enough() -> None:
    told = entered({"id": "MO255463"}, now=NOW)

    assert (told.provider, told.published_at, told.is_resolved) == ("microsoft365", None, False)


def test_times_are_read_as_utc_and_an_end_resolves_it() -> None:
    told = entered(
        {
            "id": "3qcq6T",
            "provider": "gmail",
            "title": "Mail is delayed",
            "started": "2026-02-27 10:30",
            "ended": "2026-02-27T12:30:00+01:00",
        },
        now=NOW,
    )

    assert told.started_at == datetime(2026, 2, 27, 10, 30, tzinfo=UTC)
    assert told.ended_at == datetime(2026, 2, 27, 11, 30, tzinfo=UTC)
    assert (told.is_resolved, told.kinds) == (True, ("delay",))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", "a b"),
        ("id", "x" * 65),
        ("provider", "No such"),
        ("title", "x" * 301),
        ("text", "\x1b[31m"),
        ("url", "javascript:alert(1)"),
        ("started", "yesterday"),
        ("published", (NOW + timedelta(hours=1)).isoformat()),
        ("ended", "0001-01-01"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(BadInputError) as caught:
        entered({"id": "MO255463", field: value}, now=NOW)
    assert caught.value.field == field
