"""A fresh installation, and one with seeds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import Session

from monitor.store.engine import open_engine
from tests.cli.typed import EML, SEEDS, run


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A fresh installation."""
    assert run("init", "--dir", str(tmp_path)).exit_code == 0
    return str(tmp_path / "config.toml")


@pytest.fixture
def seeded(config: str, tmp_path: Path) -> str:
    """A fresh installation with two seeds."""
    (tmp_path / "seeds.csv").write_bytes(SEEDS)
    assert run("seeds", "import", str(tmp_path / "seeds.csv"), "--config", config).exit_code == 0
    return config


@pytest.fixture
def letter(tmp_path: Path) -> str:
    """A message that can be sent."""
    (tmp_path / "march.eml").write_bytes(EML)
    return str(tmp_path / "march.eml")


@pytest.fixture
def session(config: str) -> Iterator[Session]:
    """The rows of the installation."""
    engine = open_engine(f"sqlite:///{Path(config).with_name('seedwatch.db')}")
    with Session(engine) as session:
        yield session
    engine.dispose()
