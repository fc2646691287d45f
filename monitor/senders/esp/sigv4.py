"""Signs requests to Amazon's services: AWS Signature Version 4.

Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-_.~"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, and for which service in which region. `repr` shows no secret."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    service: str
    session_token: str = field(repr=False, default="")  # of temporary credentials

    def sign(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, at: datetime
    ) -> dict[str, str]:
        """Return *headers* with date, token and signature.

        Args:
            target: path and query as they are sent, without parts like `..`.
            headers: all are signed; `Host` has to be among them.
            at: aware; Amazon takes requests that are at most five minutes off.
        """
        stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        signed = {**headers, "X-Amz-Date": stamp}
        if self.session_token:
            signed["X-Amz-Security-Token"] = self.session_token
        lines = {name.lower(): " ".join(value.split()) for name, value in signed.items()}
        names = ";".join(sorted(lines))
        request = "\n".join(
            (
                method,
                *_canonical(target),
                *(f"{name}:{lines[name]}" for name in sorted(lines)),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            )
        )
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        signature = self._key(scope, f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}")
        credential = f"Credential={self.access_key_id}/{scope}"
        signed["Authorization"] = (
            f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
        )
        return signed

    def _key(self, scope: str, text: str) -> str:
        """Sign *text* with the key that each part of *scope* narrows further."""
        key = f"AWS4{self.secret_access_key}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.digest(key, part.encode(), "sha256")
        return key.hex()


def _canonical(target: str) -> tuple[str, str]:
    """Return path and query as they are signed: encoded, the query sorted."""
    path, _, query = target.partition("?")
    pairs = sorted(
        (quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED))
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    return quote(path, safe="/" + _UNRESERVED), "&".join(f"{n}={v}" for n, v in pairs)
