"""Find the data files, and build the one Jinja environment."""

from functools import cache
from html import escape
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


def seed_campaign(template: str, *, brand: str, link: str) -> tuple[str, str, str]:
    """Fill a seed template; return subject, text and HTML.

    Args:
        template: name of templates/seed/NAME.txt and NAME.html; the text's first line is
            its subject.
        brand: who it is from, in words.
        link: where its links lead.
    """
    folder = data_dir("templates") / "seed"
    plain = _fill((folder / f"{template}.txt").read_text("utf-8"), brand, link)
    subject, _, text = plain.partition("\n")
    html = _fill((folder / f"{template}.html").read_text("utf-8"), escape(brand), escape(link))
    return subject.removeprefix("Subject:").strip(), text.lstrip("\n"), html


def _fill(template: str, brand: str, link: str) -> str:
    return template.replace("{brand}", brand).replace("{link}", link)
