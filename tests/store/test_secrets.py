"""Secrets at rest."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.errors import BadInputError, PersonNeededError
from monitor.store.secrets import Vault, new_key

KEY = new_key()
VAULT = Vault([KEY])


@given(st.text(max_size=100), st.text(max_size=200))
def test_what_was_sealed_opens_for_its_owner(owner: str, secret: str) -> None:
    assert VAULT.open(owner, VAULT.seal(owner, secret)) == secret


def test_what_is_sealed_does_not_show_its_secret() -> None:
    assert b"hunter2" not in VAULT.seal("seed:1", "hunter2")


def test_a_secret_that_was_copied_to_another_row_does_not_open() -> None:
    with pytest.raises(PersonNeededError, match="was sealed for seed:1"):
        VAULT.open("seed:2", VAULT.seal("seed:1", "hunter2"))


def test_the_wrong_key_opens_nothing_and_says_what_to_do() -> None:
    with pytest.raises(PersonNeededError, match=r"seed:1 cannot be opened.*Put the key back"):
        Vault([new_key()]).open("seed:1", VAULT.seal("seed:1", "hunter2"))


@given(st.binary(max_size=300))
def test_bytes_that_were_never_sealed_do_not_open(raw: bytes) -> None:
    with pytest.raises(PersonNeededError):
        VAULT.open("seed:1", raw)


@pytest.mark.parametrize("plain", [b"hunter2", b"[]", b'["seed:1"]', b'{"a": 1}', b"\xff"])
def test_what_was_sealed_by_something_else_does_not_open(plain: bytes) -> None:
    with pytest.raises(PersonNeededError):
        VAULT.open("seed:1", Fernet(KEY).encrypt(plain))


def test_after_rotation_old_secrets_open_and_are_sealed_with_the_new_key() -> None:
    fresh = new_key()
    old = VAULT.seal("seed:1", "hunter2")
    resealed = Vault([fresh, KEY]).reseal("seed:1", old)
    assert Vault([fresh]).open("seed:1", resealed) == "hunter2"


@pytest.mark.parametrize("keys", [[], [""], ["hunter2"], [KEY, "hunter2"], ["ü" * 44]])
def test_what_is_no_key_is_refused_without_showing_it(keys: list[str]) -> None:
    with pytest.raises(BadInputError, match=r"secrets\.key") as caught:
        Vault(keys)
    assert "hunter2" not in str(caught.value)


def test_a_vault_does_not_print_its_keys() -> None:
    assert KEY not in repr(VAULT)
