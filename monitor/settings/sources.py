"""Read the configuration, and say what is wrong with it so that a person can mend it."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from monitor.core.errors import BadInputError
from monitor.settings.sections import Settings

PREFIX = "SEEDWATCH_"
NOT_OURS = {"SEEDWATCH_CONFIG"}  # says where the file is; read by the doors
MAX_BYTES = 1_000_000
EXAMPLE = "See config.example.toml."
HIDDEN = "(hidden)"
# In these sections an unknown key may be a misspelt secret, and a known one may hold one.
PRIVATE = {"secrets", "sending", "alerts", "tenants", "oauth", "inbound", "transports"}
SECRET_KEYS = {"key", "password", "client_secret", "api_key", "secret_key"}
PRIVATE_KEYS = {("database", "url"), ("worker", "queue")}


def load_settings(path: Path | None, env: Mapping[str, str] | None = None) -> Settings:
    """Read *path* and the environment, which stands above it.

    Args:
        path: the TOML file; without one, there are only the environment and the defaults.
        env: in place of the process's environment.
    Raises:
        BadInputError: the file cannot be read, a setting is unknown or wrong, or a
            directory of your own is not there. Names the key, its value unless that may be
            a secret, and the remedy.
    """
    variables = dict(os.environ if env is None else env)
    _refuse_unknown_variables(variables)
    written = {} if path is None else _read(path)
    try:
        found = Settings.model_validate(_merge(written, _Environment(variables)()))
    except ValidationError as error:
        raise _explain(error, variables) from None
    except SettingsError as error:
        raise BadInputError("environment", HIDDEN, str(error), remedy=EXAMPLE) from None
    anchored = _anchor(found, Path() if path is None else path.parent)
    _need_directories(anchored)
    return anchored


class _Environment(EnvSettingsSource):
    """The variables that we were given, which need not be the process's own."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        super().__init__(
            cast("type[BaseSettings]", Settings),  # only its fields are asked for
            case_sensitive=False,
            env_prefix=PREFIX,
            env_nested_delimiter="__",
        )

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._variables.items()}


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay *above* over *below*, table by table."""
    merged = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            merged[name] = _merge(below[name], above[name])
    return merged


def _refuse_unknown_variables(variables: Mapping[str, str]) -> None:
    """The library ignores variables of unknown sections; a typing error must not be silent."""
    for name in variables:
        section = name.upper().removeprefix(PREFIX).partition("__")[0].lower()
        if not name.upper().startswith(PREFIX) or name.upper() in NOT_OURS:
            continue
        if section not in Settings.model_fields:
            raise BadInputError(
                name, HIDDEN, "is not a setting", remedy=_meant(section, Settings.model_fields)
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInputError(
            "config",
            str(path),
            f"cannot be read ({error.strerror})",
            remedy="Name another file, or write one with `seedwatch init`.",
        ) from None
    if len(raw) > MAX_BYTES:
        raise BadInputError("config", str(path), "is too large", remedy=EXAMPLE)
    try:
        return tomllib.loads(raw.decode("utf-8-sig").replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The library's words name line and column; a decoder's could quote a secret.
        where = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "not UTF-8"
        raise BadInputError("config", str(path), f"is not TOML: {where}", remedy=EXAMPLE) from None


def _explain(error: ValidationError, variables: Mapping[str, str]) -> BadInputError:
    """Turn the first complaint into words; unknown keys first, as they explain missing ones."""
    complaints = error.errors(include_url=False, include_context=False)
    complaint = min(complaints, key=lambda c: c["type"] != "extra_forbidden")
    place = tuple(str(part) for part in complaint["loc"] if not isinstance(part, int))
    variable = PREFIX + "__".join(place).upper()
    name = variable if variable in {v.upper() for v in variables} else ".".join(place)
    if complaint["type"] == "extra_forbidden":
        known = _keys_beside(place)
        return BadInputError(
            name,
            _shown(place, complaint, known=False),
            "is not a setting" if len(place) > 1 else "is not a section",
            remedy=_meant(place[-1], known),
        )
    value = _shown(place, complaint, known=True)
    if complaint["type"] == "missing":
        return BadInputError(name, value, "is missing", remedy=EXAMPLE)
    if complaint["type"] == "value_error":
        problem, _, advice = complaint["msg"].removeprefix("Value error, ").partition("; ")
        remedy = f"{advice[:1].upper()}{advice[1:]}." if advice else EXAMPLE
        return BadInputError(name, value, problem, remedy=remedy)
    return BadInputError(name, value, "cannot be used", remedy=f"{complaint['msg']}. {EXAMPLE}")


def _keys_beside(place: tuple[str, ...]) -> list[str]:
    """The keys that could stand where the unknown key *place* stands."""
    model: type[BaseModel] = Settings
    for part in place[:-1]:
        field = model.model_fields.get(part)
        if field is None:
            continue  # the name of a tenant
        kind = field.annotation
        inner = get_args(kind)[1] if get_origin(kind) is dict else kind
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return list(model.model_fields)


def _shown(place: tuple[str, ...], complaint: ErrorDetails, *, known: bool) -> str:
    value = complaint["input"]
    is_private = place[0] in PRIVATE and not known
    is_secret = any(part in SECRET_KEYS for part in place)
    if is_private or is_secret or place[:2] in PRIVATE_KEYS or isinstance(value, SecretStr | dict):
        return HIDDEN
    return str(value)


def _meant(key: str, known: Mapping[str, object] | list[str]) -> str:
    nearest = difflib.get_close_matches(key, list(known), n=1)
    return f"Did you mean {nearest[0]!r}?" if nearest else f"Known are: {', '.join(known)}."


def _anchor(settings: Settings, base: Path) -> Settings:
    """Make relative paths start from the directory of the file that they stand in."""

    def absolute(path: Path | None) -> Path | None:
        return None if path is None else base.absolute() / path

    def rooted(url: str, prefix: str) -> str:
        path = url.removeprefix(prefix)
        is_file = url.startswith(prefix) and path not in {"", ":memory:"}
        return f"{prefix}{absolute(Path(path))}" if is_file else url

    parts: dict[str, Mapping[str, object]] = {
        "database": {"url": rooted(settings.database.url, "sqlite:///")},
        "worker": {"queue": rooted(settings.worker.queue, "sqlite:")},
        "sending": {"ca_file": absolute(settings.sending.ca_file)},
        "reading": {"ca_file": absolute(settings.reading.ca_file)},
        "alerts": {"ca_file": absolute(settings.alerts.ca_file)},
        "drops": {
            name: drop.model_copy(update={"path": absolute(drop.path)})
            for name, drop in settings.drops.items()
        },
        "data": {
            "seedlists_dir": absolute(settings.data.seedlists_dir),
            "templates_dir": absolute(settings.data.templates_dir),
        },
    }
    changed = {
        name: values
        if isinstance(getattr(settings, name), dict)
        else getattr(settings, name).model_copy(update=values)
        for name, values in parts.items()
    }
    return Settings.model_construct(**{**dict(settings), **changed})


def _need_directories(settings: Settings) -> None:
    """Refuse directories that are not there: what should come from them would be ours instead."""
    for name, folder in settings.data:
        if folder is not None and not folder.is_dir():
            raise BadInputError(
                f"data.{name}",
                str(folder),
                "is no directory",
                remedy="Make it, name another one, or leave the key out.",
            )
