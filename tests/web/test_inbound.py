"""The web hook by which systems behind seeds report what they received."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete
from sqlmodel import Session, col, select
from werkzeug.test import TestResponse

from monitor.core.clock import ManualClock
from monitor.store.columns import saved
from monitor.store.engine import open_engine, upgrade
from monitor.store.tables import InboundRow, OrganisationRow, SeedRow
from monitor.web.app import create_app
from monitor.web.inbound import MAX_BYTES
from monitor.web.parts import Parts
from tests.web.worlds import NOW

KEY = "k3y-of-the-hook"
ANNA = "anna@brand.example"
RAW = b"Message-ID: <1@news.example>\r\nSubject: March\r\n\r\nHello\r\n"
JSON = "application/json"


class Hook:
    """An installation with one seed that reports, and one that is read by IMAP."""

    def __init__(self, folder: Path, key: str) -> None:
        self.engine = open_engine(f"sqlite:///{folder / 'seedwatch.db'}")
        upgrade(self.engine)
        with Session(self.engine) as session:
            owner = OrganisationRow(name="Acme")
            session.add(owner)
            session.flush()
            for address, reader in ((ANNA, "inbound"), ("bert@brand.example", "imap")):
                session.add(
                    SeedRow(
                        organisation_id=saved(owner.id),
                        address=address,
                        provider="corporate",
                        username=address,
                        reader=reader,
                    )
                )
            session.commit()
        parts = Parts(engine=self.engine, clock=ManualClock(NOW), facts={}, inbound_key=key)
        self.client: FlaskClient = create_app(parts).test_client()

    def post(self, data: object, kind: str | None = None, query: str = "") -> TestResponse:
        return self.client.post(f"/inbound/{KEY}{query}", data=data, content_type=kind)

    def kept(self) -> list[tuple[str, str, bytes]]:
        with Session(self.engine) as session:
            rows = session.exec(select(InboundRow).order_by(col(InboundRow.id))).all()
            return [(row.address, row.folder, row.raw) for row in rows]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hook]:
    made = Hook(tmp_path_factory.mktemp("hook"), KEY)
    yield made
    made.engine.dispose()


@pytest.fixture
def hook(installation: Hook) -> Hook:
    """The installation, to which nothing has been reported yet."""
    with Session(installation.engine) as session:
        session.execute(delete(InboundRow))
        session.commit()
    return installation


def ours(**changed: object) -> str:
    told = {"address": ANNA, "folder": "Spam", "raw": base64.b64encode(RAW).decode(), **changed}
    return json.dumps(told)


def shapes() -> dict[str, tuple[Any, str, str]]:
    """How each kind of caller tells of the same message, in the folder Spam."""
    query = f"?address={ANNA}&folder=Spam"
    text = RAW.decode()
    envelope = json.dumps({"to": ["x@else.example", ANNA], "from": "hello@news.example"})
    postmark = {"RawEmail": text, "OriginalRecipient": ANNA, "TextBody": "Hello"}
    form = "multipart/form-data"
    return {
        "whole message": (RAW, "message/rfc822", query),
        "our JSON": (ours(), JSON, ""),
        "SendGrid": ({"email": text, "envelope": envelope, "folder": "Spam"}, form, ""),
        "Mailgun": ({"body-mime": text, "recipient": ANNA}, form, "?folder=Spam"),
        "Mailgun, urlencoded": (
            {"body-mime": text, "recipient": f"<{ANNA}>"},
            "application/x-www-form-urlencoded",
            "?folder=Spam",
        ),
        "Postmark": (json.dumps(postmark), JSON, "?folder=Spam"),
    }


@pytest.mark.parametrize("caller", shapes())
def test_a_message_is_kept_whoever_reports_it(hook: Hook, caller: str) -> None:
    answer = hook.post(*shapes()[caller])
    assert answer.status_code == 200, answer.text
    assert answer.json == {"seeds": [ANNA], "new": 1}
    assert hook.kept() == [(ANNA, "Spam", RAW)]


def test_a_message_that_is_reported_twice_is_one(hook: Hook) -> None:
    assert [hook.post(ours(), JSON).json["new"] for _ in range(2)] == [1, 0]
    assert len(hook.kept()) == 1


def test_a_message_that_is_reported_elsewhere_has_moved(hook: Hook) -> None:
    hook.post(ours(folder=""), JSON)
    assert hook.post(ours(folder="Junk"), JSON).status_code == 200
    assert hook.kept() == [(ANNA, "Junk", RAW)]


def test_a_tag_behind_a_plus_is_no_part_of_who_a_seed_is(hook: Hook) -> None:
    hook.post(ours(address="Anna+abc@Brand.example"), JSON)
    assert [address for address, *_ in hook.kept()] == [ANNA]


def test_of_a_large_message_the_beginning_is_kept(hook: Hook) -> None:
    raw = RAW + b"x" * 500_000
    assert hook.post(raw, "message/rfc822", f"?address={ANNA}").status_code == 200
    assert [kept for *_, kept in hook.kept()] == [raw[: 256 * 1024]]


@pytest.mark.parametrize("address", ["bert@brand.example", "stranger@else.example"])
def test_nobodys_mail_but_that_of_reporting_seeds_is_kept(hook: Hook, address: str) -> None:
    answer = hook.post(ours(address=address), JSON)
    assert problem(answer, 404) == "no_such_seed"
    assert hook.kept() == []


def problem(answer: TestResponse, status: int) -> str:
    """Return the code of an answer that is a problem as RFC 9457 says."""
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    told = json.loads(answer.data)
    assert told["status"] == status
    assert told["detail"]
    return str(told["code"])


HOSTILE = {
    "no_address": [ours(address="anna"), ours(address="a\0@brand.example"), ours(address="")],
    "bad_json": ["{", "[]", "null", "[" * 50_000],
    "bad_base64": [ours(raw="%%%"), ours(raw="\u00e9")],
    "bad_field": [ours(raw=None), ours(address=["x"]), ours(folder=7)],
    "bad_folder": [ours(folder="a\nb"), ours(folder="f" * 301)],
    "no_message": [ours(raw=""), json.dumps({"address": ANNA})],
}


@pytest.mark.parametrize("code", HOSTILE)
def test_what_makes_no_sense_is_refused_with_a_reason(hook: Hook, code: str) -> None:
    for sent in HOSTILE[code]:
        assert problem(hook.post(sent, JSON), 400) == code
    assert hook.kept() == []


def test_a_form_without_a_raw_message_says_what_to_switch_on(hook: Hook) -> None:
    answer = hook.post({"subject": "March", "text": "Hello"}, "multipart/form-data")
    assert problem(answer, 400) == "no_message"
    assert "SendGrid" in answer.json["detail"]


def test_a_file_where_a_field_should_be_is_no_message(hook: Hook) -> None:
    answer = hook.post({"email": (io.BytesIO(RAW), "x.eml")}, "multipart/form-data")
    assert problem(answer, 400) == "no_message"


@pytest.mark.parametrize("kind", ["message/rfc822", JSON, "multipart/form-data"])
def test_too_much_is_refused_unread(hook: Hook, kind: str) -> None:
    big = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\n' + b"x" * MAX_BYTES
    kind = f"{kind}; boundary=x" if kind.startswith("multipart") else kind
    assert problem(hook.post(big, kind, f"?address={ANNA}"), 413) == "too_large"


def test_other_types_and_methods_are_refused(hook: Hook) -> None:
    assert problem(hook.post(RAW, "text/html"), 415) == "unknown_type"
    answer = hook.client.get(f"/inbound/{KEY}")
    assert problem(answer, 405) == "not_post"
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_without_a_key_in_the_configuration_there_is_no_such_page(hook: Hook, method: str) -> None:
    parts = Parts(engine=hook.engine, clock=ManualClock(NOW), facts={})
    client = create_app(parts).test_client()
    missing = client.get("/nothing/here")
    for key in ("x", "", "%00", KEY):
        answer = client.open(f"/inbound/{key}", method=method)
        assert (answer.status_code, answer.text) == (404, missing.text), key


def test_a_wrong_key_looks_like_no_page(hook: Hook) -> None:
    for key in ("wrong", KEY.upper(), KEY[:-1], KEY + "x", "\N{SNOWMAN}"):
        answer = hook.client.post(f"/inbound/{key}", data=ours(), content_type=JSON)
        assert answer.status_code == 404
        assert answer.mimetype == "text/html"
    assert KEY not in repr(Parts(engine=hook.engine, clock=ManualClock(NOW), facts={}))


def test_the_key_stands_in_no_log_though_a_report_fails(
    hook: Hook, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'without_tables.db'}")
    parts = Parts(engine=engine, clock=ManualClock(NOW), facts={}, inbound_key=KEY)
    answer = create_app(parts).test_client().post(f"/inbound/{KEY}", data=ours(), content_type=JSON)
    engine.dispose()
    assert (answer.status_code, KEY in answer.text) == (500, False)
    assert "no such table" in caplog.text
    assert "/inbound/<key>" in caplog.text
    assert KEY not in caplog.text
