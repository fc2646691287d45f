"""Kinds of values that can be set, and what is said of one that is none."""

import ipaddress
import re
from base64 import urlsafe_b64decode
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

KEY_BYTES = 32  # of a Fernet key


def _as_several(value: object) -> object:
    """One key, or several with the newest first; in one string, commas stand between them."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _need_key(key: SecretStr) -> SecretStr:
    try:
        length = len(urlsafe_b64decode(key.get_secret_value()))
    except ValueError:
        length = 0
    if length != KEY_BYTES:
        raise ValueError("is not a key; `seedwatch init` writes a configuration with a fresh one")
    return key


def _need_loopback(host: str) -> str:
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(
            "can be reached by others, and there are no accounts yet: whoever reached the pages"
            " could read everything; write 127.0.0.1, and put a proxy that asks for a password"
            " before it"
        )
    return host


def need_http(url: str) -> str:
    if not re.match(r"https?://[^/\s]", url):
        raise ValueError("is not an address; write one that begins with https://")
    return url.rstrip("/")


def _need_span(spec: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,3}[mhd]", spec, re.ASCII):
        raise ValueError('is not a span of time; write "2h", "30m" or "1d"')
    return spec


def _need_address(address: str) -> str:
    if not re.fullmatch(r"[^\s@<>]{1,64}@[^\s@<>]{1,253}", address):
        raise ValueError('is not an e-mail address; write "alerts@example.org"')
    return address


def _need_network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        raise ValueError('is not a network; write "10.1.2.0/24"') from None


def _need_server(server: str) -> str:
    host, port = server_of(server)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise ValueError('is not a server; write an address as "192.0.2.53" or "192.0.2.53:5353"')
    return server


def server_of(text: str) -> tuple[str, int]:
    """Split "ADDRESS" or "ADDRESS:PORT" ("[ADDRESS]:PORT" for IPv6); 53 without a port."""
    found = re.fullmatch(r"\[([^\[\]]+)\]:(\d{1,5})|([^:]+):(\d{1,5})", text, re.ASCII)
    if found is None:
        return text.strip("[]"), 53
    return found[1] or found[3], int(found[2] or found[4])


Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
PerMinute = Annotated[float, Field(ge=0, le=100_000)]  # at one provider; 0: as fast as it goes
Network = Annotated[ipaddress.IPv4Network | ipaddress.IPv6Network, BeforeValidator(_need_network)]
HttpUrl = Annotated[str, AfterValidator(need_http)]
MaybeUrl = Annotated[str, AfterValidator(lambda url: need_http(url) if url else "")]
Key = Annotated[SecretStr, AfterValidator(_need_key)]
Keys = Annotated[tuple[Key, ...], NoDecode, BeforeValidator(_as_several)]
Loopback = Annotated[str, AfterValidator(_need_loopback)]
Span = Annotated[str, AfterValidator(_need_span)]
Address = Annotated[str, AfterValidator(_need_address)]
MaybeAddress = Annotated[str, AfterValidator(lambda to: _need_address(to) if to else "")]
NameServer = Annotated[str, AfterValidator(_need_server)]
