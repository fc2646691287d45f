"""From domains: claimed by anybody, proven by who owns them."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from monitor.core.domain_proof import covering, record_for
from monitor.store import domains
from monitor.store.columns import saved
from monitor.store.engine import open_engine, upgrade
from monitor.store.route_tables import DomainRow
from monitor.store.tables import OrganisationRow

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)
NUMBERS = count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One database for all; nothing of a test stays."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('domains') / 'seedwatch.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(shared: Engine) -> Iterator[Session]:
    with Session(shared) as opened:
        yield opened


def owner(session: Session) -> int:
    row = OrganisationRow(name=f"Acme {next(NUMBERS)}")
    session.add(row)
    session.flush()
    return saved(row.id)


def claimed(session: Session, organisation: int, domain: str = "brand.example") -> DomainRow:
    return domains.claim(session, organisation, domain, now=NOW, rng=random.Random(organisation))


def proof(row: DomainRow) -> list[str]:
    return ["v=spf1 -all", record_for(row.domain, row.token).text]


@pytest.fixture
def row(session: Session) -> DomainRow:
    """A domain that is proven."""
    made = claimed(session, owner(session))
    domains.note(made, proof(made), now=NOW)
    return made


def is_proven(session: Session, row: DomainRow, domain: str = "brand.example") -> bool:
    session.flush()
    return domains.is_proven(session, row.organisation_id, domain)


def test_a_domain_is_proven_by_the_token_that_its_claim_got(session: Session) -> None:
    row = claimed(session, owner(session))
    for texts in ([], ["seedwatch-proof="], ["seedwatch-proof=" + "0" * 32], None):
        domains.note(row, texts, now=NOW)
        assert not is_proven(session, row)
    domains.note(row, proof(row), now=NOW)
    assert is_proven(session, row)


def test_claiming_again_keeps_the_token(session: Session) -> None:
    row = claimed(session, owner(session))
    again = domains.claim(
        session, row.organisation_id, "Brand.Example", now=NOW + DAY, rng=random.Random(9)
    )
    assert (again.id, again.token) == (row.id, row.token)


def test_each_organisation_must_prove_a_domain_for_itself(session: Session) -> None:
    ours, theirs = claimed(session, owner(session)), claimed(session, owner(session))
    domains.note(ours, proof(theirs), now=NOW)
    assert not is_proven(session, ours)
    domains.note(theirs, proof(theirs), now=NOW)
    assert (is_proven(session, ours), is_proven(session, theirs)) == (False, True)


def test_a_proof_counts_for_what_lies_below_and_for_nothing_else(
    session: Session, row: DomainRow
) -> None:
    assert is_proven(session, row, "news.brand.example")
    assert is_proven(session, row, "a.b.Brand.Example.")
    for domain in ("xbrand.example", "example", "brand.example.org", "brand.example.evil.example"):
        assert not is_proven(session, row, domain)


def test_no_top_level_domain_counts_for_those_below() -> None:
    assert covering("a.b.example") == ["a.b.example", "b.example"]
    assert covering("example") == ["example"]


def test_a_proof_outlives_its_record_by_a_week(session: Session, row: DomainRow) -> None:
    assert domains.note(row, [], now=NOW + DAY) is False
    assert domains.note(row, ["v=spf1"], now=NOW + 7 * DAY) is False
    assert is_proven(session, row)
    assert domains.troubled(session) == [row]
    assert domains.note(row, [], now=NOW + 8 * DAY) is True
    assert not is_proven(session, row)
    assert domains.note(row, [], now=NOW + 9 * DAY) is False
    assert domains.troubled(session) == [row]
    domains.note(row, proof(row), now=NOW + 10 * DAY)
    assert (is_proven(session, row), domains.troubled(session)) == (True, [])


def test_a_record_that_comes_back_begins_a_new_week(session: Session, row: DomainRow) -> None:
    for day, texts in ((1, []), (6, proof(row)), (7, []), (13, [])):
        domains.note(row, texts, now=NOW + day * DAY)
    assert is_proven(session, row)


def test_a_dns_that_does_not_answer_takes_no_proof_away(session: Session, row: DomainRow) -> None:
    for day in range(1, 30):
        domains.note(row, None, now=NOW + day * DAY)
    assert is_proven(session, row)
    assert row.problem == "the DNS gave no answer"


def test_a_new_claim_is_looked_at_every_hour_and_a_proof_every_day(session: Session) -> None:
    organisation = owner(session)
    fresh, proven = (claimed(session, organisation, d) for d in ("a.example", "b.example"))
    assert domains.due(session, now=NOW, limit=9) == [fresh, proven]
    domains.note(fresh, [], now=NOW)
    domains.note(proven, proof(proven), now=NOW)
    assert domains.due(session, now=NOW + timedelta(minutes=30), limit=9) == []
    assert domains.due(session, now=NOW + timedelta(hours=1), limit=9) == [fresh]
    assert domains.due(session, now=NOW + DAY, limit=9) == [fresh, proven]
    assert domains.due(session, now=NOW + DAY, limit=1) == [fresh]
