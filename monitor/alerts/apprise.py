"""Tell chats and pagers (Slack, Teams, Discord, Telegram, PagerDuty, ...) through Apprise.

Apprise runs in a process of its own (alerts/apprise_child.py): what it reads, and how long it
takes, has no bounds that we could set from inside.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from monitor.core.errors import AgainLaterError, BadInputError, InDoubtError, PersonNeededError
from monitor.core.ports import Alert
from monitor.core.routes import Severity
from monitor.guarded import Network

TIMEOUT_S: Final = 30.0
MAX_URL: Final = 2000
MAX_BODY: Final = 3000  # characters; chats cut what is longer, each in its own way
TYPES: Final[Mapping[Severity, str]] = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "failure",
}
_EVERYBODY = re.compile(r"@(?=(?:everyone|here|channel|all)\b)", re.IGNORECASE)
_MENTION = re.compile(r"<(?=[!@#])")


class AppriseAlerter:
    """`core.ports.Alerter` through Apprise. Safe between threads.

    Args:
        allowed: networks that are not public and may be talked to, also without TLS.
    """

    # Twice is two messages in a chat.
    is_repeatable = False

    def __init__(self, *, allowed: tuple[Network, ...] = (), timeout_s: float = TIMEOUT_S) -> None:
        self._allowed = allowed
        self._timeout_s = timeout_s

    def tell(self, alert: Alert) -> str:
        """Hand *alert* over; its address is its one secret.

        Raises:
            AgainLaterError: the service did not take it. Apprise does not say why.
            InDoubtError: it took too long, or Apprise failed.
            PersonNeededError: the address is none, or leads where we may not ask.
        """
        if not alert.secrets:
            raise PersonNeededError("this route has no address.", remedy="Remove it, add it anew.")
        message = alert.message
        asked = {
            "title": tame(message.subject),
            "body": tame(message.short or message.text)[:MAX_BODY],
            "type": TYPES[message.severity],
        }
        said = self._ask(alert.secrets[0], asked)
        if said["problem"]:
            raise PersonNeededError(
                f"Apprise cannot use this address of kind {said['schema']!r}.",
                remedy="Remove the route and add it anew.",
            )
        if said["taken"]:
            return f"taken by {said['schema']}"
        if said["refused"]:
            raise PersonNeededError(
                f"this {said['schema']} route is not asked: {said['refused']}.",
                remedy="If it is yours, name its network in [alerts] allow_private.",
            )
        raise AgainLaterError(f"{said['schema']} did not take the message.")

    def check(self, url: str) -> str:
        """Return what may be shown of *url*. Nobody is asked.

        Raises:
            BadInputError: Apprise does not know such an address, or it leads to this machine.
        """
        shown = url.partition("://")[0][:32]
        if len(url) > MAX_URL or not url.isprintable() or "://" not in url:
            problem, remedy = "is no address for Apprise", "Write it as SERVICE://..."
            raise BadInputError("address", shown, problem, remedy=remedy)
        said = self._ask(url, {})
        if said["problem"] == "local":
            problem = "is no service that is told over HTTP"
            remedy = "Name one of the web; for mail, add a route of kind email."
            raise BadInputError("address", shown, problem, remedy=remedy)
        if said["problem"]:
            problem = "is no address that Apprise understands"
            remedy = "How to write it: https://appriseit.com/services/"
            raise BadInputError("address", shown, problem, remedy=remedy)
        return f"{said['schema']}://{sha256(url.encode()).hexdigest()[:8]}"

    def _ask(self, url: str, more: Mapping[str, object]) -> dict[str, Any]:
        asked = {"url": url, "allowed": [str(network) for network in self._allowed], **more}
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-B", "-m", "monitor.alerts.apprise_child"],
                input=json.dumps(asked).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # it may repeat the address
                env=_environment(),
                cwd=os.sep,
                timeout=self._timeout_s,
                check=True,
            )
            said = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            raise _in_doubt("it took too long") from None
        except (subprocess.CalledProcessError, ValueError):
            raise _in_doubt("Apprise failed") from None
        return dict(said)


def tame(text: str) -> str:
    """Return *text* without what would call everybody of a chat: some of it strangers wrote."""
    return _MENTION.sub("‹", _EVERYBODY.sub("@\N{ZERO WIDTH SPACE}", text))


def _environment() -> dict[str, str]:
    """The same modules; no proxy that would connect for us, no passwords, no home."""
    paths = [os.path.abspath(path) for path in sys.path]  # noqa: PTH100 - "" is where we are
    return {"PYTHONPATH": os.pathsep.join(paths), "LANG": "C.UTF-8"}


def _in_doubt(why: str) -> InDoubtError:
    return InDoubtError(
        f"nobody knows whether the message was taken: {why}.",
        remedy="Ask whether it arrived; it is not sent again.",
    )
