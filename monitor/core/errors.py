"""The error tree: what failed, on what, why, and what to do.

SeedwatchError
├── AgainLaterError        the worker tries again by itself
│   ├── MailboxBusyError       a mailbox or its provider refused for now
│   └── TransportBusyError     a mail server could not be reached or deferred
└── PersonNeededError      trying again will not help
    ├── MailboxLockedError     sign-in refused, certificate wrong, account closed
    ├── TransportRefusedError  the mail server refused us (not one recipient)
    ├── InDoubtError           it may have been done; doing it again could do it twice
    ├── BadInputError          a file, setting or argument that a person wrote
    └── NotFoundError          no such row for this organisation
"""

from datetime import timedelta


class SeedwatchError(Exception):
    """Anything that Seedwatch can explain to a person."""

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".strip()


class AgainLaterError(SeedwatchError):
    """It may work later; `retry_after` says when, if the other side told us."""

    def __init__(
        self, what: str, *, remedy: str = "", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.retry_after = retry_after


class MailboxBusyError(AgainLaterError):
    """The mailbox cannot be read now: time-out, throttling, server down."""


class TransportBusyError(AgainLaterError):
    """The mail server cannot be used now: no connection, 4xx greeting."""


class PersonNeededError(SeedwatchError):
    """A person must act before this can work."""


class MailboxLockedError(PersonNeededError):
    """The provider refused our credentials, or its certificate is not its own."""


class TransportRefusedError(PersonNeededError):
    """The mail server refused the connection or our credentials for good."""


class InDoubtError(PersonNeededError):
    """Nobody knows whether it was done, and twice would be worse than never."""


class NotFoundError(PersonNeededError):
    """No such thing, or not yours."""


class BadInputError(PersonNeededError):
    """Input that a person wrote and can mend.

    Args:
        field: the name of the field, setting or column.
        value: what stood there; shortened, and never a secret.
        problem: what is wrong with it.
        remedy: what to write instead.
    """

    def __init__(self, field: str, value: str, problem: str, *, remedy: str) -> None:
        shown = value if len(value) <= 80 else value[:77] + "..."
        super().__init__(f"{field}: {shown!r} {problem}.", remedy=remedy)
        self.field = field
        self.value = shown
        self.problem = problem
