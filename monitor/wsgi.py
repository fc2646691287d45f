"""For a WSGI server of your own: `waitress-serve --call monitor.wsgi:app`.

Reads the file named by SEEDWATCH_CONFIG, or config.toml in the working directory. Pages
only; run `seedwatch worker` beside it.
"""

import os
import random
from pathlib import Path

from flask import Flask

from monitor.core.clock import SystemClock
from monitor.settings import load_settings
from monitor.store.engine import need_database
from monitor.wiring import build


def app() -> Flask:
    """Make the application.

    Raises:
        BadInputError: the configuration cannot be read; names key, value and remedy.
    """
    settings = load_settings(Path(os.environ.get("SEEDWATCH_CONFIG", "config.toml")))
    need_database(settings.database.url)
    return build(settings, clock=SystemClock(), rng=random.SystemRandom()).app()
