"""A time limit cuts the request that it was set for, and nothing else."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from monitor.time_limit import TimeLimit

SERVER, OTHER = ("one.example", 443), ("other.example", 443)
Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Ours and theirs of one connection."""
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        yield ours, theirs


@pytest.fixture
def limit() -> Iterator[TimeLimit]:
    with TimeLimit() as made:
        yield made


def has_ended(theirs: socket.socket) -> bool:
    theirs.setblocking(False)
    try:
        return theirs.recv(1) == b""
    except BlockingIOError:
        return False


def test_a_request_that_takes_too_long_loses_its_connection(limit: TimeLimit, ends: Ends) -> None:
    ours, theirs = ends
    limit.watch(ours, SERVER)
    with limit.of(0.01):
        theirs.settimeout(10)
        assert theirs.recv(1) == b""
    assert limit.is_over


def test_a_timer_that_runs_late_does_not_cut_the_next_request(limit: TimeLimit, ends: Ends) -> None:
    ours, theirs = ends
    limit.watch(ours, SERVER)
    with limit.of(60):
        first = limit._request
    limit._cut(first)  # as the first one's timer does that was past cancelling
    with limit.of(60):
        limit._cut(first)
        assert not has_ended(theirs)
    assert not limit.is_over


def test_a_request_that_is_over_gets_no_further_connection(limit: TimeLimit, ends: Ends) -> None:
    ours, theirs = ends
    with limit.of(60):
        limit._cut(limit._request)
        with pytest.raises(TimeoutError):
            limit.watch(ours, SERVER)
    assert has_ended(theirs)


def test_of_each_server_the_newest_connection_is_cut_and_the_one_before_is_let_go(
    limit: TimeLimit, ends: Ends
) -> None:
    ours, theirs = ends
    newer, of_newer = socket.socketpair()
    kept, of_kept = socket.socketpair()
    with closing(newer), closing(of_newer), closing(kept), closing(of_kept), limit.of(60):
        limit.watch(ours, SERVER)
        limit.watch(kept, OTHER)
        ours.close()  # by its owner, who connects anew
        limit.watch(newer, SERVER)
        assert has_ended(theirs)  # nobody holds it open
        limit._cut(limit._request)
        assert has_ended(of_newer)
        assert has_ended(of_kept)
