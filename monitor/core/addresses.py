"""A sane check of e-mail and web addresses and host names; stricter than the RFCs on purpose."""

import re
from urllib.parse import SplitResult, urlsplit

# RFC 5321 section 4.5.3.1: a local part has at most 64 octets, a path 256 with its
# angle brackets, so an address 254.
MAX_LOCAL = 64
MAX_ADDRESS = 254
MAX_HOST = 253
MAX_URL = 8192

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class AddressError(ValueError):
    """Why a text is no address, and what to write; its text follows the shown value."""


def checked_address(value: str) -> str:
    """Return *value* with its domain in lower case and in ASCII (IDNA).

    Quoted local parts and non-ASCII ones are refused: no mailbox provider gives them.

    Raises:
        AddressError: not an address.
    """
    local, at, domain = value.partition("@")
    if not at or "@" in domain:
        raise AddressError("is not an address. It needs exactly one @, as in name@example.com.")
    if not _LOCAL.fullmatch(local):
        raise AddressError("has an odd part before the @. Use ASCII letters, digits and . _ + -")
    if len(local) > MAX_LOCAL:
        raise AddressError(f"has more than {MAX_LOCAL} characters before the @. Check it.")
    host = checked_host(domain)
    if "." not in host:
        raise AddressError("has no complete domain after the @, such as example.com. Check it.")
    address = f"{local}@{host}"
    if len(address) > MAX_ADDRESS:
        raise AddressError(f"is longer than {MAX_ADDRESS} characters. Check it.")
    return address


def checked_host(value: str) -> str:
    """Return host name *value* in lower case and in ASCII (IDNA).

    Raises:
        AddressError: not a host name.
    """
    try:
        host = value.lower().encode("idna").decode("ascii") if len(value) <= MAX_HOST else ""
    except UnicodeError as error:
        raise AddressError("is no valid domain name. Check its spelling.") from error
    if not host or len(host) > MAX_HOST or not all(map(_LABEL.fullmatch, host.split("."))):
        raise AddressError("is no valid domain name. Check its spelling.")
    return host


def split_url(url: str) -> SplitResult | None:
    """Take a web address apart; None if programs could differ about where it leads."""
    if len(url) > MAX_URL or "\\" in url or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        is_plain = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
        return parts if is_plain and parts.port != 0 else None
    except ValueError:
        return None
