"""`seedwatch keys`: made, shown once, shut."""

import json

import pytest

from tests.cli.typed import listed, refused, run


def test_a_key_is_shown_once_and_known_by_its_beginning(config: str) -> None:
    made = run("keys", "create", "mail server", "--scope", "advice:read", "--config", config)
    key = made.stdout.strip()
    assert key.startswith("sw_")
    (told,) = listed(config, "keys", "list")
    assert (told["prefix"], told["name"], told["state"]) == (key[:11], "mail server", "valid")
    assert told["scopes"] == ["advice:read"]
    assert key not in run("keys", "list", "--config", config).output

    for _ in range(2):
        assert run("keys", "revoke", key[:11], "--config", config).exit_code == 0
    assert [one["state"] for one in listed(config, "keys", "list")] == ["revoked"]


def test_a_key_may_read_unless_more_is_asked_for(config: str) -> None:
    made = run("keys", "create", "desk", "--expires", "90d", "--json", "--config", config)
    told = json.loads(made.stdout)
    assert all(scope.endswith(":read") for scope in told["scopes"])
    assert told["expires_at"] > told["created_at"]


@pytest.mark.parametrize(
    ("command", "words", "status"),
    [
        (("create", "x", "--expires", "soon"), ("--expires", "is not a span"), 2),
        (("create", "a\x07b"), ("cannot be shown",), 2),
        (("revoke", "sw_nothing"), ("no key 'sw_nothing'", "keys list"), 1),
    ],
)
def test_what_is_typed_wrong_is_refused(
    config: str, command: tuple[str, ...], words: tuple[str, ...], status: int
) -> None:
    assert refused(run("keys", *command, "--config", config), *words, status=status)
