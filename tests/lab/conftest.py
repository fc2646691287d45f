"""A Dovecot of our own."""

from collections.abc import Iterator

import pytest

from tests.servers.dovecot import dovecot


@pytest.fixture
def dovecot_port() -> Iterator[int]:
    """The IMAP port of a Dovecot that lives as long as the test; everybody's password is pw."""
    with dovecot() as server:
        yield server.port
