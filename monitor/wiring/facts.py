"""Provider facts: ours, and the operator's own in place of them."""

from pathlib import Path

from monitor.core.providers import parse_provider
from monitor.core.seeds import ProviderFacts
from monitor.rendering import data_dir


def load_facts(override: Path | None) -> dict[str, ProviderFacts]:
    """Read the facts of every provider; a file in *override* replaces ours of that name.

    Raises:
        BadInputError: a file cannot be understood; names file, key and remedy.
    """
    folders = [data_dir("seedlists")] + ([override] if override is not None else [])
    files = {
        path.stem: path for folder in folders for path in (folder / "providers").glob("*.toml")
    }
    return {
        name: parse_provider(path.read_text("utf-8"), name=name)
        for name, path in sorted(files.items())
    }
