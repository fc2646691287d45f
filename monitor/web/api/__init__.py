"""The API for programs: /api/v1. docs/api.md describes it."""

from monitor.web.api import advice, advisories, exposure, incidents
from monitor.web.api.door import PREFIX, api

__all__ = ["PREFIX", "advice", "advisories", "api", "exposure", "incidents"]
