"""Secrets at rest: sealed with a key that is never in the database, bound to their row."""

import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from monitor.core.errors import BadInputError, PersonNeededError


class Vault:
    """Seals and opens secrets. The first key seals; every key opens, for rotation."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take Fernet *keys*, the newest first.

        Raises:
            BadInputError: no key, or something that is not a key.
        """
        if not keys:
            raise _bad_key("is missing")
        try:
            self._fernet = MultiFernet([Fernet(key.encode()) for key in keys])
        except ValueError:
            raise _bad_key("is not a key") from None

    def seal(self, owner: str, secret: str) -> bytes:
        """Seal *secret* for *owner*, which names a row, as "seed:17"."""
        return self._fernet.encrypt(json.dumps([owner, secret]).encode())

    def open(self, owner: str, sealed: bytes) -> str:
        """Return the secret.

        Raises:
            PersonNeededError: no key fits, or it was sealed for another owner.
        """
        try:
            plain = self._fernet.decrypt(sealed)
        except InvalidToken:
            raise PersonNeededError(
                f"the secret of {owner} cannot be opened with the keys in [secrets].",
                remedy="Put the key back that it was sealed with, or enter the secret again.",
            ) from None
        sealed_for, secret = _unpack(plain)
        if sealed_for != owner:
            raise PersonNeededError(
                f"the secret of {owner} was sealed for {sealed_for}: rows were mixed up.",
                remedy="Enter the secret again.",
            )
        return secret

    def reseal(self, owner: str, sealed: bytes) -> bytes:
        """Seal again with the newest key. Raises as `open`."""
        return self.seal(owner, self.open(owner, sealed))


def _unpack(plain: bytes) -> tuple[str, str]:
    """Take owner and secret apart again."""
    try:
        parts = json.loads(plain)
    except ValueError:
        parts = None
    match parts:
        case [str(owner), str(secret)]:
            return owner, secret
        case _:
            return "something else", ""


def new_key() -> str:
    """Return a fresh key, as it stands in the configuration."""
    return Fernet.generate_key().decode()


def _bad_key(problem: str) -> BadInputError:
    return BadInputError(
        "secrets.key",
        "(hidden)",
        problem,
        remedy="`seedwatch init` writes a configuration with a fresh one.",
    )
