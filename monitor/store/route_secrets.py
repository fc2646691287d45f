"""What a route keeps secret: signing keys, or a whole address. Sealed for its row."""

import json
import secrets
from base64 import b64encode
from typing import Final

from sqlmodel import Session, col, select

from monitor.core.errors import BadInputError, PersonNeededError
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.secrets import Vault

KEY_BYTES: Final = 32  # Standard Webhooks asks for 24 to 64
PREFIX: Final = "whsec_"


def new_signing_secret() -> str:
    """Return a fresh secret as receivers write it down."""
    return PREFIX + b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


def signing_secrets(route: RouteRow, vault: Vault) -> tuple[str, ...]:
    """The secrets that a webhook is signed with, the newest first; two while they rotate.

    Raises:
        PersonNeededError: they cannot be opened.
    """
    known = _opened(route, vault).get("secrets")
    return tuple(str(one) for one in known) if isinstance(known, list) else ()


def told_with(route: RouteRow, vault: Vault) -> tuple[str, ...]:
    """What an alerter needs beside the address (`Alert.secrets`).

    Raises:
        PersonNeededError: it cannot be opened.
    """
    if not route.secret:
        return ()
    url = _opened(route, vault).get("url")
    return (url,) if isinstance(url, str) else signing_secrets(route, vault)


def keep_signing_secrets(route: RouteRow, vault: Vault, *newest_first: str) -> None:
    _seal(route, vault, {"secrets": list(newest_first)})


def keep_url(route: RouteRow, vault: Vault, url: str) -> None:
    _seal(route, vault, {"url": url})


def rotate(route: RouteRow, vault: Vault) -> str:
    """Sign with a new secret too, before the old one; return the new one.

    Raises:
        BadInputError: no webhook, or its secrets are two already.
    """
    _need_webhook(route)
    known = signing_secrets(route, vault)
    if len(known) > 1:
        raise BadInputError(
            "ID",
            str(route.id),
            "has two secrets already",
            remedy=f"First end that: seedwatch routes rotate {route.id} --finish",
        )
    fresh = new_signing_secret()
    keep_signing_secrets(route, vault, fresh, *known)
    return fresh


def finish_rotation(route: RouteRow, vault: Vault) -> bool:
    """Sign with the newest secret only; False if that is so already.

    Raises:
        BadInputError: no webhook.
    """
    _need_webhook(route)
    known = signing_secrets(route, vault)
    keep_signing_secrets(route, vault, *known[:1])
    return len(known) > 1


def sealed(session: Session) -> list[RouteRow]:
    """Every route that keeps a secret, of all organisations."""
    found = select(RouteRow).where(RouteRow.secret != b"").order_by(col(RouteRow.id))
    return list(session.exec(found).all())


def reseal(session: Session, vault: Vault) -> tuple[int, list[str]]:
    """Seal all with the newest key of [secrets]; return how many, and which fit no key."""
    done, lost = 0, []
    for route in sealed(session):
        try:
            route.secret = vault.reseal(_owner(route), route.secret)
        except PersonNeededError:
            lost.append(_owner(route))
        else:
            done += 1
            session.add(route)
    return done, lost


def closed(session: Session, vault: Vault) -> int:
    """How many of the secrets *vault* does not open."""
    return sum(not _opens(vault, route) for route in sealed(session))


def _opens(vault: Vault, route: RouteRow) -> bool:
    try:
        vault.open(_owner(route), route.secret)
    except PersonNeededError:
        return False
    return True


def _need_webhook(route: RouteRow) -> None:
    if route.kind != "webhook":
        raise BadInputError(
            "ID", str(route.id), "is no webhook", remedy="Only webhooks are signed by us."
        )


def _owner(route: RouteRow) -> str:
    return f"route:{saved(route.id)}"


def _seal(route: RouteRow, vault: Vault, kept: dict[str, object]) -> None:
    route.secret = vault.seal(_owner(route), json.dumps(kept))


def _opened(route: RouteRow, vault: Vault) -> dict[str, object]:
    try:
        kept = json.loads(vault.open(_owner(route), route.secret)) if route.secret else {}
    except ValueError:
        kept = None
    if not isinstance(kept, dict):
        raise PersonNeededError(
            f"the secret of {_owner(route)} cannot be read.", remedy="Remove it and add it anew."
        )
    return kept
