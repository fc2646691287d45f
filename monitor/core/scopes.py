"""What a key of the API may do."""

from enum import StrEnum


class Scope(StrEnum):
    ADVICE_READ = "advice:read"
    INCIDENTS_READ = "incidents:read"
    INCIDENTS_WRITE = "incidents:write"  # acknowledge, snooze
    EXPOSURE_READ = "exposure:read"
    EXPOSURE_WRITE = "exposure:write"
    ADVISORIES_READ = "advisories:read"
    ADVISORIES_WRITE = "advisories:write"

    @property
    def only_reads(self) -> bool:
        return self.endswith(":read")
