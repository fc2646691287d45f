"""What `seedwatch doctor` finds: fine, worth a look, or wrong."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from monitor.cli.context import reason_of
from monitor.core.errors import SeedwatchError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. What is fine may still have a remedy: it is worth a look."""

    about: str
    ok: bool
    says: str
    remedy: str = ""

    @property
    def mark(self) -> str:
        if not self.ok:
            return "!!"
        return "??" if self.remedy else "ok"


def fine(about: str, says: str) -> Finding:
    return Finding(about, ok=True, says=says)


def doubtful(about: str, says: str, remedy: str) -> Finding:
    """It works, but a person may not have meant it so."""
    return Finding(about, ok=True, says=says, remedy=remedy)


def wrong(about: str, says: str, remedy: str) -> Finding:
    return Finding(about, ok=False, says=says, remedy=remedy)


def looked(about: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what *look* finds; that it cannot look is a finding too, and ends nothing else."""
    try:
        yield from look()
    except SeedwatchError as error:
        yield wrong(about, error.what, error.remedy)
    except SQLAlchemyError as error:
        yield wrong(about, f"the database failed: {reason_of(error)}", "Check [database] url.")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        yield wrong(about, f"{where}{error.strerror or error}", "Check that it can be used.")
