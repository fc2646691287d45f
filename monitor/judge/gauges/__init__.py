"""Effects that placement does not show: mail that is late, and scores that rise."""
