"""Facts of a mailbox provider: read from TOML, found again by MX host names."""

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from monitor.core.campaigns import Role
from monitor.core.errors import BadInputError
from monitor.core.seeds import Endpoint, ProviderFacts, Security

MAX_BYTES = 256 * 1024  # of one file of facts

_TEXTS = ("name", "login_remedy", "report_form", "jmap")
_LISTS = ("mx", "tabs", "authserv_ids", "link_hosts")
_KEYS = (*_TEXTS, *_LISTS, "business", "oauth_only", "imap", "smtp", "folders")
_IMAP_LIMITS = ("connections", "account_connections")
_SMTP_KEYS = ("host", "port", "security")
_IMAP_KEYS = (*_SMTP_KEYS, "serial", *_IMAP_LIMITS)
MAX_CONNECTIONS = 10_000

_KIND_NAMES: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    list: "a list of texts",
    dict: "a table",
}


def parse_provider(text: str, *, name: str) -> ProviderFacts:
    """Read the facts of provider *name* (its id) from TOML.

    Raises:
        BadInputError: not TOML, an unknown key, or a value of the wrong kind.
    """
    if len(text) > MAX_BYTES:
        raise BadInputError(name, text, "is too large", remedy=f"Keep it under {MAX_BYTES} bytes.")
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInputError(name, str(error), "is not TOML", remedy="Mend that place.") from error
    _refuse_unknown(table, _KEYS, where=name)
    texts = {key: _text(table, key, where=name) for key in _TEXTS}
    lists = {key: _texts(table, key, where=name) for key in _LISTS}
    imap = _sub(table, "imap", where=name)
    limits = {key: _limit(imap, key, where=f"{name}.imap") for key in _IMAP_LIMITS}
    return ProviderFacts(
        id=name,
        name=texts["name"] or name,
        mx=_hosts(lists["mx"]),
        imap=_endpoint(table, "imap", _IMAP_KEYS, port=993, where=name),
        smtp=_endpoint(table, "smtp", _SMTP_KEYS, port=465, where=name),
        folders=_folders(table, where=name),
        tabs=lists["tabs"],
        authserv_ids=lists["authserv_ids"],
        login_remedy=texts["login_remedy"],
        report_form=texts["report_form"],
        jmap=texts["jmap"],
        link_hosts=_hosts(lists["link_hosts"]),
        business=bool(_value(table, "business", bool, where=name)),
        oauth_only=bool(_value(table, "oauth_only", bool, where=name)),
        serial=bool(_value(imap, "serial", bool, where=f"{name}.imap")),
        **limits,
    )


def provider_of_mx(hosts: Sequence[str], facts: Mapping[str, ProviderFacts]) -> str | None:
    """Return the id of the provider that receives for *hosts* (best MX first), if known.

    The longest matching suffix wins, so that one provider's hosts may lie below another's.
    """
    for host in hosts:
        name = host.lower().rstrip(".")
        found = [(len(s), f.id) for f in facts.values() for s in f.mx if _is_below(name, s)]
        if found:
            return max(found)[1]
    return None


def nearest(word: str, known: Collection[str]) -> str:
    """Return "Did you mean X?" for the nearest of *known*, or the list of them."""
    near = get_close_matches(word, known, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Known are: {', '.join(sorted(known))}."


def _is_below(host: str, suffix: str) -> bool:
    return host == suffix or host.endswith("." + suffix)


def _hosts(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.lower().strip(".") for name in names)


def _refuse_unknown(table: Mapping[str, object], known: Collection[str], *, where: str) -> None:
    for key in table:
        if key not in known:
            raise BadInputError(where, key, "is not a known key", remedy=nearest(key, known))


def _value(table: Mapping[str, object], key: str, kind: type, *, where: str) -> object:
    """Return the value of *key*, or what `kind()` gives if it is absent."""
    value = table.get(key, kind())
    if not isinstance(value, kind):
        raise BadInputError(
            f"{where}.{key}",
            str(value),
            "is of the wrong kind",
            remedy=f"Write {_KIND_NAMES[kind]}.",
        )
    return value


def _text(table: Mapping[str, object], key: str, *, where: str) -> str:
    return str(_value(table, key, str, where=where))


def _texts(table: Mapping[str, object], key: str, *, where: str) -> tuple[str, ...]:
    values = _value(table, key, list, where=where)
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise BadInputError(
            f"{where}.{key}", str(values), "holds more than texts", remedy="Write a list of texts."
        )
    return tuple(values)


def _sub(table: Mapping[str, object], key: str, *, where: str) -> Mapping[str, object]:
    value = _value(table, key, dict, where=where)
    return value if isinstance(value, dict) else {}


def _endpoint(
    table: Mapping[str, object], kind: str, keys: Collection[str], *, port: int, where: str
) -> Endpoint | None:
    """Return the server that section *kind* names; *port* is what it listens at by default."""
    if kind not in table:
        return None
    named = _sub(table, kind, where=where)
    where = f"{where}.{kind}"
    _refuse_unknown(named, keys, where=where)
    host = _text(named, "host", where=where)
    if not host:
        remedy = f"Name the {kind.upper()} server."
        raise BadInputError(f"{where}.host", host, "is empty", remedy=remedy)
    at = named.get("port", port)
    if not isinstance(at, int) or isinstance(at, bool) or not 0 < at < 65536:
        raise BadInputError(
            f"{where}.port", str(at), "is not a port", remedy="Write a number from 1 to 65535."
        )
    security = _text(named, "security", where=where) or Security.TLS.value
    if security not in set(Security):
        raise BadInputError(
            f"{where}.security", security, "is not known", remedy=nearest(security, list(Security))
        )
    return Endpoint(host, at, Security(security))


def _limit(table: Mapping[str, object], key: str, *, where: str) -> int:
    """Return a number of connections; 0, for no limit, if it is absent."""
    value = table.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_CONNECTIONS:
        remedy = f"Write a number from 1 to {MAX_CONNECTIONS}."
        raise BadInputError(f"{where}.{key}", str(value), "is not a number", remedy=remedy)
    return value


def _folders(table: Mapping[str, object], *, where: str) -> dict[str, Role]:
    """Turn `role = [names]` into case-folded name -> role."""
    folders = _sub(table, "folders", where=where)
    where = f"{where}.folders"
    _refuse_unknown(folders, list(Role), where=where)
    return {
        name.casefold(): Role(role)
        for role in folders
        for name in _texts(folders, role, where=where)
    }
