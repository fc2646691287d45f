"""Hours since the Unix epoch, in which the judge reckons, and back to moments."""

from datetime import UTC, datetime


def hours(moment: datetime) -> float:
    return moment.timestamp() / 3600


def moment(hour: float) -> datetime:
    """The datetime of an *hour* since the epoch, exact to the millisecond."""
    return datetime.fromtimestamp(round(hour * 3600, 3), UTC)
