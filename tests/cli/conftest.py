"""A fresh installation, and one with seeds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import Session

from monitor.store.engine import open_engine
from tests.cli.typed import EML, SEEDS, run


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a fresh installation, to be copied."""
    home = tmp_path_factory.mktemp("bare")
    assert run("init", "--dir", str(home)).exit_code == 0
    return home


@pytest.fixture(scope="session")
def installed(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of an installation with two seeds, to be copied."""
    home = tmp_path_factory.mktemp("installed")
    shutil.copytree(bare, home, dirs_exist_ok=True)
    (home / "seeds.csv").write_bytes(SEEDS)
    brought = run("seeds", "import", str(home / "seeds.csv"), "--config", str(home / "config.toml"))
    assert brought.exit_code == 0
    return home


@pytest.fixture
def config(bare: Path, tmp_path: Path) -> str:
    """A fresh installation."""
    shutil.copytree(bare, tmp_path, dirs_exist_ok=True)
    return str(tmp_path / "config.toml")


@pytest.fixture
def seeded(installed: Path, tmp_path: Path) -> str:
    """A fresh installation with two seeds."""
    shutil.copytree(installed, tmp_path, dirs_exist_ok=True)
    return str(tmp_path / "config.toml")


@pytest.fixture
def letter(tmp_path: Path) -> str:
    """A message that can be sent."""
    (tmp_path / "march.eml").write_bytes(EML)
    return str(tmp_path / "march.eml")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """The rows of the installation."""
    engine = open_engine(f"sqlite:///{tmp_path / 'seedwatch.db'}")
    with Session(engine) as session:
        yield session
    engine.dispose()
