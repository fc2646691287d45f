"""Quiet hours: when a route is not to be disturbed, by the clock on its own wall."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.core.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Quiet:
    """Every day from `start` to `end`, wall time of `zone`; over midnight if `end` is earlier."""

    zone: ZoneInfo
    start: time
    end: time

    def end_after(self, now: datetime) -> datetime | None:
        """Return when the quiet that *now* falls into ends (UTC); None if it is not quiet.

        Where clocks are put forward over the end, it is reckoned as if they were not yet.
        """
        here = now.astimezone(self.zone)
        if not self._holds(here.time()):
            return None
        day = here.date() if here.time() < self.end else here.date() + timedelta(days=1)
        return datetime.combine(day, self.end, self.zone).astimezone(UTC)

    def _holds(self, at: time) -> bool:
        if self.start <= self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its name in the tz database, as "Europe/Berlin".

    Raises:
        BadInputError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a path, a folder, an unknown name
        raise BadInputError(
            "timezone", name, "is no time zone", remedy='Write one as "Europe/Berlin" or "UTC".'
        ) from None


def quiet_hours(timezone: str, start: str, end: str) -> Quiet | None:
    """Read quiet hours as a person writes them, as "22:00" to "07:00"; None if both are "".

    Raises:
        BadInputError: a time or the zone is none, or only one of the times is there.
    """
    known = zone(timezone)
    if not start and not end:
        return None
    return Quiet(known, _time("quiet_from", start), _time("quiet_to", end))


def held_until(now: datetime, *, timezone: str, start: str, end: str) -> datetime | None:
    """As `Quiet.end_after`; hours that cannot be read hold nothing, so that nothing is lost."""
    try:
        quiet = quiet_hours(timezone, start, end)
    except BadInputError:
        return None
    return quiet.end_after(now) if quiet is not None else None


def _time(field: str, text: str) -> time:
    try:
        read = time.fromisoformat(text)
    except ValueError:
        read = None
    if read is None or len(text) != len("22:00"):
        raise BadInputError(field, text, "is no time of day", remedy='Write one as "22:00".')
    return read
