"""Asks a tenant in the words of this room: what fails is a mailbox, busy or locked."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from monitor.core.errors import (
    AgainLaterError,
    MailboxBusyError,
    MailboxLockedError,
    PersonNeededError,
)
from monitor.tenant import App, Json, RefusedError, Tenant

_REMEDY = "Check tenant, client id and secret, and the permissions that docs/reading.md lists."


class GraphRefusedError(MailboxLockedError):
    """This tenant does not answer this question: no permission, no licence, no such table."""


class GraphHttp:
    """One app in one tenant. Safe between threads."""

    def __init__(self, app: App) -> None:
        self._tenant = Tenant(app, remedy=_REMEDY)

    def __repr__(self) -> str:
        return f"GraphHttp({self._tenant!r})"

    def sign_in(self) -> None:
        """Get a token if there is none.

        Raises:
            MailboxLockedError: refused.
            MailboxBusyError: no answer.
        """
        with _of_a_mailbox():
            self._tenant.sign_in()

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Json]:
        """GET *path*, or the whole address of a next page. Keys of the answer are lower case.

        Raises:
            GraphRefusedError: 400, 403 or 404.
            MailboxLockedError: signed in, and still not let in.
            MailboxBusyError: no answer, or none that makes sense; `retry_after` if told.
        """
        with _of_a_mailbox():
            return self._tenant.get(path, params)

    def post(self, path: str, body: Mapping[str, str]) -> dict[str, Json]:
        """POST *body* as JSON; otherwise as `get`."""
        with _of_a_mailbox():
            return self._tenant.post(path, body)


@contextmanager
def _of_a_mailbox() -> Iterator[None]:
    try:
        yield
    except RefusedError as error:
        raise GraphRefusedError(error.what, remedy=error.remedy) from error
    except PersonNeededError as error:
        raise MailboxLockedError(error.what, remedy=error.remedy) from error
    except AgainLaterError as error:
        raise MailboxBusyError(
            error.what, remedy=error.remedy, retry_after=error.retry_after
        ) from error
