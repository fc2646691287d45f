"""Write a first configuration, and make the demo's, which needs no file."""

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from monitor.core.errors import BadInputError
from monitor.settings.sections import Alerts, Database, Secrets, Settings, Tenant, Web

EXAMPLE = "config.example.toml"
DEMO_DATABASE = "demo.db"
NO_KEY = '\nkey = ""\n'  # as it stands in the example


def example() -> str:
    """Return the text of config.example.toml, from the wheel or the checkout."""
    package = Path(str(files("monitor")))
    packed = package / "_data" / EXAMPLE
    return (packed if packed.is_file() else package.parent / EXAMPLE).read_text("utf-8")


def write_config(folder: Path) -> Path:
    """Write *folder*/config.toml with a fresh secret key; only its owner may read it.

    The database that it names lies beside it.

    Raises:
        BadInputError: there is one already, or it cannot be written.
    """
    path = folder / "config.toml"
    head, found, tail = example().partition(NO_KEY)
    if not found:
        raise RuntimeError(f"{EXAMPLE} has no place for the key")
    text = f'{head}\nkey = "{Fernet.generate_key().decode()}"\n{tail}'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise _unwritten(path, error) from None
    return path


def _unwritten(path: Path, error: OSError) -> BadInputError:
    if path.is_file():
        problem = "exists already"
        remedy = "Seedwatch never overwrites it: it holds the key to the mailbox passwords."
    else:
        problem = f"cannot be written ({error.strerror})"
        remedy = "Name a directory of your own with --dir."
    return BadInputError("config", str(path), problem, remedy=remedy)


def demo_settings(folder: Path, *, port: int, tenant: Mapping[str, str]) -> Settings:
    """Return settings for the lab: a fresh key, and the database in *folder*.

    Args:
        port: where the dashboard will be; 0 for any that is free.
        tenant: the fields of the lab's own tenant, which is called "lab".
    """
    return Settings(
        database=Database(url=f"sqlite:///{folder.absolute() / DEMO_DATABASE}"),
        secrets=Secrets(key=(SecretStr(Fernet.generate_key().decode()),)),
        web=Web(port=port),
        alerts=Alerts(from_address="alerts@seedwatch.example", prove_domains=False),
        tenants={"lab": Tenant.model_validate(dict(tenant))},
    )
