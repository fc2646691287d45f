"""Which mail is meant, in words: by the kind of the feature that is blamed."""

from collections.abc import Mapping

# Features are "kind:value" (core/observations.py); {} is the place of the value.
WHICH_MAIL: Mapping[str, str] = {
    "url": "that links to {}",
    "track": "with tracking links of {}",
    "dkim": "signed by {}",
    "ip": "sent from {}",
    "esp": "sent through {}",
    "attach": "with {} attachments",
    "region": "to its mailboxes in {}",  # of the provider
}
