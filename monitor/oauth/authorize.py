"""The first refresh token: a person agrees once, in a browser.

Sources: RFC 8628 (device authorization), RFC 7636 (PKCE), RFC 8252 (loopback redirect).
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from monitor.bounded_http import Json, seconds
from monitor.core.clock import Clock
from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.oauth.client import DEVICE_GRANT, Grant, OAuthClient
from monitor.oauth.loopback import authorize_by_browser

LIMIT = timedelta(minutes=15)
_AGAIN = "Run the command once more."
_LEAST_S, _MOST_S = 1.0, 60.0  # between two questions to the provider
_SLOWER_S = 5.0  # RFC 8628 section 3.5

Show = Callable[[str], None]
Ask = Callable[[], Mapping[str, Json]]


def authorize(
    client: OAuthClient,
    show: Show,
    *,
    clock: Clock,
    limit: timedelta = LIMIT,
    address: str = "",
    port: int = 0,
) -> str:
    """Let a person agree, and return the refresh token.

    With a device authorization where the application has one (Microsoft without a secret, or a
    custom provider with `device_url`): the browser may be anywhere. Otherwise with a redirect
    to this machine, so the browser must be on it, or its *port* forwarded to here.

    Args:
        show: shows one line to the person.
        limit: how long the person has.
        address: whose mailbox it is, so that the provider suggests that account.
        port: where the redirect arrives; 0 for any that is free.

    Raises:
        MailboxLockedError: the person said no, did nothing in time, or the provider refuses us.
        MailboxBusyError: no answer from the provider.
        BadInputError: the application has no address for this.
    """
    start, ask = _device_of(client)
    if start is None or ask is None:
        grant = authorize_by_browser(client, show, limit=limit, address=address, port=port)
    else:
        grant = _by_device(client, show, start(), ask, clock=clock, limit=limit)
    if not grant.refresh_token:
        raise MailboxLockedError(
            "the provider let us in without a refresh token, so only for an hour.",
            remedy="Allow offline access for the application, and take care of its scopes.",
        )
    return grant.refresh_token


_Device = tuple[
    Callable[[], dict[str, Json]] | None, Callable[[dict[str, Json]], dict[str, Json]] | None
]


def _device_of(client: OAuthClient) -> _Device:
    """Return how a device authorization begins and goes on, where there is one."""
    app = client.app
    if client.microsoft is not None and not app.client_secret:
        return client.microsoft.start_device, client.microsoft.ask_device
    if not app.device_url:
        return None, None

    def ask(flow: dict[str, Json]) -> dict[str, Json]:
        form = {"grant_type": DEVICE_GRANT, "device_code": str(flow.get("device_code"))}
        return client.asked(app.token_address, form)

    return lambda: client.asked(app.device_url, {"scope": " ".join(app.scopes)}), ask


def _by_device(
    client: OAuthClient,
    show: Show,
    flow: dict[str, Json],
    ask: Callable[[dict[str, Json]], dict[str, Json]],
    *,
    clock: Clock,
    limit: timedelta,
) -> Grant:
    show(_invitation(client, flow))
    life = timedelta(seconds=seconds(flow.get("expires_in")) or 900)
    ends = clock.now() + min(life, limit)
    wait_s = min(max(seconds(flow.get("interval", 5)), _LEAST_S), _MOST_S)
    while clock.now() + timedelta(seconds=wait_s) <= ends:
        clock.sleep(timedelta(seconds=wait_s))
        try:
            answer = ask(flow)
        except MailboxBusyError as error:  # RFC 8628: wait longer, and go on
            wait_s = min(max(2 * wait_s, _seconds_of(error.retry_after)), _MOST_S)
            continue
        error_code = answer.get("error")
        if error_code == "slow_down":
            wait_s = min(wait_s + _SLOWER_S, _MOST_S)
        elif error_code in {"access_denied", "authorization_declined"}:
            raise MailboxLockedError("the person did not agree.", remedy=_AGAIN)
        elif error_code in {"expired_token", "code_expired"}:
            break
        elif error_code != "authorization_pending":
            return client.grant_of(answer)
    raise MailboxLockedError("nobody agreed in time.", remedy=_AGAIN)


def _invitation(client: OAuthClient, flow: Mapping[str, Json]) -> str:
    if "error" in flow:
        raise client.refused(str(flow["error"]))
    where = flow.get("verification_uri") or flow.get("verification_url")  # as Google writes it
    code = flow.get("user_code")
    if not (isinstance(where, str) and isinstance(code, str) and flow.get("device_code")):
        raise MailboxBusyError("the provider's answer makes no sense: it has no code.")
    line = f"Open {where[:200]} in any browser and enter the code {code[:40]}"
    return "".join(c for c in line if c.isprintable())


def _seconds_of(wait: timedelta | None) -> float:
    return wait.total_seconds() if wait else 0.0
