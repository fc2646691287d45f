"""The API: keys open what they say, answers are JSON, and strangers stay strangers."""

import json
import random
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete
from sqlmodel import Session
from werkzeug.test import TestResponse

from monitor.core.clock import ManualClock
from monitor.core.incidents import Cause, Evidence, Tally
from monitor.core.ports import Advisory
from monitor.core.scopes import Scope
from monitor.store import advisories, api_keys, incidents
from monitor.store.columns import saved
from monitor.store.engine import open_engine, upgrade
from monitor.store.route_tables import AcknowledgementRow, ApiKeyRow, AudienceRow
from monitor.store.tables import OrganisationRow, SenderRow
from monitor.store.verdict_tables import AdvisoryRow
from monitor.web.app import create_app
from monitor.web.parts import Parts
from tests.core.test_advice import EVENT, FACTS
from tests.web.worlds import NOW

HOUR = timedelta(hours=1)
DOCS = Path(__file__).parents[2] / "docs" / "api.md"
OURS, THEIRS = "acme.example", "rival.example"


def tally(name: str) -> Tally:
    return Tally(name, n=10, bad=9, n_eff=6.0, low=0.6, high=0.98, expected=0.02)


WHOLE = replace(
    EVENT,
    incident="microsoft365/whole",
    cause=Cause.PROVIDER,
    feature=None,
    hit=(OURS, THEIRS),
    evidence=Evidence(hit=(tally(OURS), tally(THEIRS))),
)
EVENTS = (
    WHOLE,
    EVENT,  # of a link that only the rival's mail carries
    replace(EVENT, incident="rival", cause=Cause.SENDER, sender=THEIRS, hit=(THEIRS,)),
    replace(EVENT, incident="ours", cause=Cause.SENDER, sender=OURS, hit=(OURS,), provider=None),
    replace(EVENT, incident="seed", cause=Cause.SEED, seed="a@b.example", feature=None),
    replace(EVENT, incident="monitor", cause=Cause.MONITOR, feature=None),
)


class Service:
    """An installation of two organisations, as programs see it."""

    def __init__(self, folder: Path) -> None:
        self.engine = open_engine(f"sqlite:///{folder / 'seedwatch.db'}")
        upgrade(self.engine)
        self.clock = ManualClock(NOW)
        self.owners: dict[str, int] = {}
        self.asked: list[list[str]] = []
        with Session(self.engine) as session:
            for domain in (OURS, THEIRS):
                owner = OrganisationRow(name=domain)
                session.add(owner)
                session.flush()
                self.owners[domain] = saved(owner.id)
                session.add(
                    SenderRow(
                        organisation_id=saved(owner.id),
                        key=domain,
                        name=domain,
                        from_domain=domain,
                        mail_from=f"a@{domain}",
                    )
                )
            for event in EVENTS:
                incidents.append(session, event)
            session.commit()
        parts = Parts(
            engine=self.engine, clock=self.clock, facts=FACTS, providers_of=self.providers_of
        )
        self.client: FlaskClient = create_app(parts).test_client()

    def providers_of(self, domains: Collection[str]) -> Mapping[str, str]:
        self.asked.append(list(domains))
        return {d: "microsoft365" if d == "example.org" else "other" for d in domains}

    def key(
        self, *scopes: Scope, owner: str = OURS, lasts: timedelta | None = None, name: str = "desk"
    ) -> str:
        with Session(self.engine) as session:
            _, key = api_keys.create(
                session,
                self.owners[owner],
                name,
                scopes or list(Scope),
                expires_at=self.clock.now() + lasts if lasts else None,
                now=self.clock.now(),
                rng=random.SystemRandom(),
            )
            session.commit()
        return key

    def call(self, method: str, path: str, key: str = "", **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.client.open(
            f"/api/v1{path}", method=method, headers=headers | more.pop("headers", {}), **more
        )

    def ids(self, key: str, state: str = "open") -> set[str]:
        told = self.call("GET", f"/incidents?state={state}", key).json
        return {one["id"] for one in told["incidents"]}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("api"))
    yield made
    made.engine.dispose()


@pytest.fixture
def service(installation: Service) -> Service:
    """The installation, with nothing acknowledged and nothing counted."""
    with Session(installation.engine) as session:
        for table in (AcknowledgementRow, AudienceRow, ApiKeyRow, AdvisoryRow):
            session.execute(delete(table))
        session.commit()
    return installation


def problem(answer: TestResponse, status: int) -> str:
    """Return the code of an answer that is a problem as RFC 9457 says."""
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    told = json.loads(answer.data)
    assert (told["status"], told["request_id"]) == (status, answer.headers["X-Request-Id"])
    assert told["detail"]
    return str(told["code"])


def test_every_line_of_the_documentation_works(service: Service) -> None:
    """Each curl line is done as curl would do it."""
    words = {"KEY": service.key(), "BASE": "", "INCIDENT": WHOLE.incident}
    lines = re.findall(r"(?m)^curl .*$", DOCS.read_text("utf-8"))
    assert len(lines) >= 8
    for line in lines:
        method, headers, data, url = "GET", {}, None, ""
        parts = iter(shlex.split(re.sub(r"\$(\w+)", lambda m: words[m[1]], line))[1:])
        for part in parts:
            if part == "-X":
                method = next(parts)
            elif part == "-H":
                name, _, value = next(parts).partition(": ")
                headers[name] = value
            elif part == "-d":
                data = next(parts)
            else:
                url = part
        answer = service.client.open(url, method=method, headers=headers, data=data)
        assert answer.status_code in {200, 201}, f"{line}: {answer.text}"


def test_the_documentation_names_every_scope_and_resource(service: Service) -> None:
    text = DOCS.read_text("utf-8")
    assert [scope for scope in Scope if f"`{scope.value}`" not in text] == []
    rules = [r for r in service.client.application.url_map.iter_rules() if r.endpoint[:4] == "api."]
    assert rules
    assert [r.rule for r in rules if r.rule.rsplit("/", 1)[1] not in text] == []


def test_without_a_key_there_is_nothing(service: Service) -> None:
    for given in ("", "x", "sw_" + "A" * 43, "sw_\u00e9", "sw_" + "A" * 5000):
        answer = service.call("GET", "/incidents", given)
        assert problem(answer, 401) == ("bad_key" if given else "no_key")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    basic = service.call("GET", "/incidents", headers={"Authorization": "Basic eDp5"})
    assert problem(basic, 401) == "no_key"


def test_a_key_that_is_expired_or_revoked_opens_nothing(service: Service) -> None:
    short, shut = service.key(lasts=HOUR), service.key()
    assert service.call("GET", "/incidents", short).status_code == 200
    with Session(service.engine) as session:
        api_keys.revoke(session, service.owners[OURS], shut[:11], now=service.clock.now())
        session.commit()
    service.clock.sleep(HOUR)
    for key in (short, shut):
        assert problem(service.call("GET", "/incidents", key), 401) == "bad_key"


def test_a_key_stands_nowhere_in_the_database(service: Service) -> None:
    key = service.key()
    service.call("GET", "/incidents", key)
    folder = Path(str(service.engine.url.database)).parent
    assert key[11:].encode() not in b"".join(p.read_bytes() for p in folder.iterdir())


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/hold-advice", Scope.ADVICE_READ),
        ("GET", "/incidents", Scope.INCIDENTS_READ),
        ("POST", "/incidents/x/acknowledge", Scope.INCIDENTS_WRITE),
        ("POST", "/incidents/x/snooze", Scope.INCIDENTS_WRITE),
        ("GET", "/exposure", Scope.EXPOSURE_READ),
        ("GET", "/advisories", Scope.ADVISORIES_READ),
        ("POST", "/advisories", Scope.ADVISORIES_WRITE),
        ("POST", "/exposure", Scope.EXPOSURE_WRITE),
    ],
)
def test_a_key_opens_what_its_scopes_say(
    service: Service, method: str, path: str, scope: Scope
) -> None:
    others = service.key(*[one for one in Scope if one is not scope])
    assert problem(service.call(method, path, others), 403) == "scope_missing"
    assert service.call(method, path, service.key(scope)).status_code != 403


def test_an_organisation_sees_what_could_concern_it_and_no_stranger(service: Service) -> None:
    ours, theirs = service.key(), service.key(owner=THEIRS)
    assert service.ids(ours) == {WHOLE.incident, "ours"}
    assert service.ids(theirs) == {WHOLE.incident, "rival"}
    for path in ("/incidents?state=all", "/hold-advice"):
        assert THEIRS not in service.call("GET", path, ours).text
    (told,) = [
        one
        for one in service.call("GET", "/incidents", ours).json["incidents"]
        if one["id"] == WHOLE.incident
    ]
    assert told["hit"] == [
        {"sender": OURS, "n": 10, "bad": 9, "n_eff": 6.0, "low": 0.6, "high": 0.98, "usual": 0.02}
    ]


def test_hold_advice_stays_the_same_until_something_moves(service: Service) -> None:
    key = service.key()
    first = service.call("GET", "/hold-advice?provider=microsoft365", key)
    (advice,) = first.json["advice"]
    assert (advice["action"], advice["incident"]) == ("hold", WHOLE.incident)
    tag = {"If-None-Match": first.headers["ETag"]}
    again = service.call("GET", "/hold-advice?provider=microsoft365", key, headers=tag)
    assert (again.status_code, again.data) == (304, b"")
    assert problem(service.call("GET", "/hold-advice?provider=x", key), 400) == "unknown_provider"


def test_to_acknowledge_is_kept_once_and_for_one_organisation(service: Service) -> None:
    key = service.key(name="night shift")
    for _ in range(2):
        answer = service.call("POST", f"/incidents/{WHOLE.incident}/acknowledge", key)
        assert answer.json["acknowledgement"]["by"] == "key night shift"
    told = {
        owner: one["acknowledgement"]
        for owner in (OURS, THEIRS)
        for one in service.call("GET", "/incidents", service.key(owner=owner)).json["incidents"]
        if one["id"] == WHOLE.incident
    }
    assert told[THEIRS] is None
    assert told[OURS] == answer.json["acknowledgement"]


def test_to_snooze_needs_a_time_that_makes_sense(service: Service) -> None:
    key, path = service.key(), f"/incidents/{WHOLE.incident}/snooze"
    until = service.call("POST", path, key, json={"hours": 1.5}).json["acknowledgement"]["until"]
    assert until == (service.clock.now() + 1.5 * HOUR).isoformat()
    for hours in (None, "4", True, 0, -1, 1e300, [], float("nan")):
        assert problem(service.call("POST", path, key, json={"hours": hours}), 400) == "bad_hours"


@pytest.mark.parametrize("incident", ["rival", "monitor", "none", "x" * 2000, "a%0Ab", "../x"])
def test_a_strangers_incident_is_not_there(service: Service, incident: str) -> None:
    answer = service.call("POST", f"/incidents/{incident}/acknowledge", service.key())
    assert problem(answer, 404) in {"no_such_incident", "not_found"}


def test_a_list_is_counted_kept_and_crossed_with_incidents(service: Service) -> None:
    key = service.key()
    assert problem(service.call("GET", "/exposure", key), 404) == "not_measured"
    sent = {"domains": {"example.org": 310, "Example.COM": 690}, "sender": OURS}
    told = service.call("POST", "/exposure", key, json=sent).json
    assert (told["total"], told["providers"][0]["share"]) == (1000, 0.31)
    assert told["now"][0].startswith("31 % of this list (310 of 1000) is at Microsoft 365")
    assert sorted(service.asked[-1]) == ["example.com", "example.org"]
    assert service.call("GET", f"/exposure?sender={OURS}", key).json == told
    assert problem(service.call("GET", "/exposure", key), 404) == "not_measured"
    assert problem(service.call("GET", f"/exposure?sender={THEIRS}", key), 404) == "no_such_sender"


HOSTILE: dict[str, list[object]] = {
    "bad_json": ["{", "[]", "null", "[" * 100_000, b"\xff\xfe"],
    "unknown_field": ['{"addresses": []}'],
    "no_domains": ["", "{}", '{"domains": []}', '{"domains": null}'],
    "bad_domains": [
        '{"domains": {}}',
        '{"domains": {"a@b.example": 1}}',
        '{"domains": {"b.c": -1}}',
    ],
    "too_many_domains": [json.dumps({"domains": {f"{n}.example": 1 for n in range(10_001)}})],
}


@pytest.mark.parametrize("code", HOSTILE)
def test_what_makes_no_sense_is_refused_with_a_stable_code(service: Service, code: str) -> None:
    key = service.key()
    for sent in HOSTILE[code]:
        answer = service.call("POST", "/exposure", key, data=sent, content_type="application/json")
        assert problem(answer, 400) == code


def test_too_much_and_other_types_and_methods_are_refused(service: Service) -> None:
    key = service.key()
    big = service.call(
        "POST", "/exposure", key, data=b"x" * (1024 * 1024 + 1), content_type="application/json"
    )
    assert problem(big, 413) == "too_large"
    text = service.call("POST", "/exposure", key, data="{}", content_type="text/plain")
    assert problem(text, 415) == "not_json"
    wrong = service.call("DELETE", "/exposure", key)
    assert problem(wrong, 405) == "method_not_allowed"
    assert "POST" in wrong.headers["Allow"]
    assert problem(service.call("GET", "/nothing", key), 404) == "not_found"


def test_a_request_keeps_its_own_number_if_that_is_a_plain_word(service: Service) -> None:
    key = service.key()
    for given, kept in (("abc-1.2", True), ("a b", False), ("x" * 65, False), ("<script>", False)):
        answer = service.call("GET", "/incidents", key, headers={"X-Request-Id": given})
        assert (answer.headers["X-Request-Id"] == given) is kept


def test_advisories_are_told_with_times_as_text(service: Service) -> None:
    with Session(service.engine) as session:
        told = Advisory(
            id="MO255463",
            provider="microsoft365",
            title="Mail is quarantined",
            text="Mail with links is quarantined.",
            started_at=NOW - HOUR,
            ended_at=None,
            published_at=NOW,
            updated_at=NOW,
            is_resolved=False,
        )
        advisories.keep(session, told, source="test", now=service.clock.now())
        session.commit()
    answer = service.call("GET", "/advisories", service.key(Scope.ADVISORIES_READ))
    (advisory,) = answer.json["advisories"]
    assert (advisory["id"], advisory["started_at"]) == ("MO255463", (NOW - HOUR).isoformat())


def test_an_advisory_that_a_person_read_is_kept_once(service: Service) -> None:
    key = service.key()
    sent = {"id": "EX1", "provider": "microsoft365", "title": "Links", "started_at": ""}
    for status in (201, 200):
        answer = service.call("POST", "/advisories", key, json=sent)
        assert (answer.status_code, answer.json["new"]) == (status, status == 201)
    told = service.call("GET", "/advisories", key).json["advisories"]
    assert [(one["id"], one["is_entered"]) for one in told] == [("EX1", True)]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"id": ""}, "bad_id"),
        ({"id": "a b"}, "bad_id"),
        ({"id": "x" * 65}, "bad_id"),
        ({"provider": "x"}, "unknown_provider"),
        ({"title": 7}, "bad_field"),
        ({"title": "x" * 501}, "bad_field"),
        ({"text": "a\0b"}, "bad_field"),
        ({"url": "javascript:alert(1)"}, "bad_field"),
        ({"started_at": "yesterday"}, "bad_field"),
        ({"started_at": "2026-03-02T06:00:00"}, "bad_field"),
        ({"started_at": "0001-01-01T00:00:00+14:00"}, "bad_field"),
        ({"raw": {}}, "unknown_field"),
    ],
)
def test_an_advisory_that_makes_no_sense_is_refused(
    service: Service, changed: dict[str, object], code: str
) -> None:
    sent = {"id": "EX2", "provider": "microsoft365"} | changed
    assert problem(service.call("POST", "/advisories", service.key(), json=sent), 400) == code
