"""Find the data files, and build the one Jinja environment."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, select_autoescape


def data_dir(kind: str) -> Path:
    """Return the directory of `templates` or `seedlists`.

    In a wheel they lie in `monitor/_data/`; in a checkout, at the top of the repository.
    """
    package = Path(str(files("monitor")))
    packed = package / "_data" / kind
    return packed if packed.is_dir() else package.parent / kind


@cache
def environment(override: Path | None = None) -> Environment:
    """Return the Jinja environment; templates in *override* come before ours.

    An undefined name is an error, and .html templates escape what they print.
    """
    folders = [data_dir("templates")] if override is None else [override, data_dir("templates")]
    return Environment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html",)),
        trim_blocks=True,
        lstrip_blocks=True,
    )
