"""The configuration: a TOML file and environment variables, checked once, then frozen."""

from monitor.settings.files import demo_settings, write_config
from monitor.settings.sections import Settings
from monitor.settings.sources import load_settings

__all__ = ["Settings", "demo_settings", "load_settings", "write_config"]
