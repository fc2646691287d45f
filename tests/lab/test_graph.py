"""The tenant's API: right requests are answered in Graph's shape, wrong ones refused in it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests

from monitor.core.clock import ManualClock
from monitor.lab.lab import Lab
from tests.lab.letters import PASSWORD, letter, post, scenario

ADDRESS = "seed@m365.lab.example"
TRACES = "/v1.0/admin/exchange/tracing/messageTraces"
ISSUES = "/v1.0/admin/serviceAnnouncement/issues"
HUNT = "/v1.0/security/runHuntingQuery"
DAY = "receivedDateTime ge 2026-03-02T00:00:00Z and receivedDateTime le 2026-03-03T00:00:00Z"
COLUMNS = "InternetMessageId, RecipientEmailAddress, DeliveryLocation, LatestDeliveryLocation"
RULES = """
[[rule]]
action = "spam"
url_domain = "spam.example.net"
[[rule]]
action = "quarantine"
url_domain = "bad.example.net"
[[rule]]
action = "reject"
url_domain = "no.example.net"
[[rule]]
action = "drop"
url_domain = "lost.example.net"
[[rule]]
action = "delay"
delay = "1h"
url_domain = "late.example.net"
[[rule]]
action = "zap"
delay = "1h"
url_domain = "zap.example.net"
[[rule]]
action = "api_busy"
from = "20h"
until = "21h"
delay = "90s"
[[rule]]
action = "api_late"
from = "22h"
delay = "12h"
[[rule]]
action = "advisory"
provider = "microsoft365"
id = "MO255463"
title = "Mail is quarantined"
text = "We are looking into it."
from = "2h"
published_after = "9h"
resolved_after = "12h"
[[rule]]
action = "advisory"
provider = "microsoft365"
id = "EX1"
"""


class Client:
    """Asks the lab's API as an application of the tenant would."""

    def __init__(self, lab: Lab, session: requests.Session) -> None:
        self.lab = lab
        self.session = session

    def sign_in(self, **changes: str) -> requests.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.lab.graph_client_id,
            "client_secret": self.lab.graph_client_secret,
            "scope": f"{self.lab.api_url}/.default",
        }
        path = f"/{changes.pop('tenant', self.lab.graph_tenant)}/oauth2/v2.0/token"
        answer = self.session.post(self.lab.api_url + path, data=form | changes, timeout=5)
        if answer.ok:
            self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer

    def get(self, path: str, **query: str) -> requests.Response:
        params = {f"${name}": value for name, value in query.items()}
        url = path if path.startswith("http") else self.lab.api_url + path
        return self.session.get(url, params=params, timeout=5)

    def query(self, query: str) -> requests.Response:
        return self.session.post(self.lab.api_url + HUNT, json={"Query": query}, timeout=5)

    def hunt(self, *ids: str, columns: str = COLUMNS, **more: str) -> requests.Response:
        listed = ", ".join(f'"{i}"' for i in ids)
        query = f"EmailEvents | where InternetMessageId in ({listed}) | project {columns}"
        return self.session.post(self.lab.api_url + HUNT, json={"Query": query} | more, timeout=5)


@pytest.fixture
def client(clock: ManualClock) -> Iterator[Client]:
    with Lab(scenario(RULES), clock=clock, seed=1) as lab, requests.Session() as session:
        lab.add_mailbox(ADDRESS, PASSWORD)
        asking = Client(lab, session)
        assert asking.sign_in().ok
        yield asking


def id_of(number: int) -> str:
    return f"<{number}@brand.example.com>"


def test_the_trace_knows_what_became_of_each_message(client: Client) -> None:
    hosts = ["ok", "spam", "bad", "no", "lost", "late"]
    for number, host in enumerate(hosts):
        post(client.lab, ADDRESS, letter(number, link=f"https://{host}.example.net/"))

    rows = client.get(TRACES, filter=DAY).json()["value"]

    assert {row["messageId"]: row["status"] for row in rows} == {
        id_of(0): "delivered",
        id_of(1): "filteredAsSpam",
        id_of(2): "quarantined",
        id_of(3): "failed",
        id_of(4): "failed",
        id_of(5): "pending",
    }
    assert {row["recipientAddress"] for row in rows} == {ADDRESS}
    assert rows[0]["receivedDateTime"] == "2026-03-02T08:00:00Z"


def test_a_pending_message_is_delivered_later(client: Client, clock: ManualClock) -> None:
    post(client.lab, ADDRESS, letter(1, link="https://late.example.net/"))
    clock.sleep(timedelta(hours=1))
    client.sign_in()

    row = client.get(TRACES, filter=f"{DAY} and messageId eq '{id_of(1)}'").json()["value"][0]
    assert row["status"] == "delivered"


def test_the_trace_filters_by_message_and_recipient(client: Client) -> None:
    client.lab.add_mailbox("o'neil@m365.lab.example", PASSWORD)
    post(client.lab, ADDRESS, letter(1))
    post(client.lab, "o'neil@m365.lab.example", letter(1))
    post(client.lab, ADDRESS, letter(2))

    def found(clause: str) -> int:
        return len(client.get(TRACES, filter=f"{clause} and {DAY}").json()["value"])

    assert found(f"messageId eq '{id_of(1)}'") == 2
    assert found("recipientAddress eq 'o''neil@m365.lab.example'") == 1
    assert found(f"messageId eq '{id_of(2)}' and recipientAddress eq '{ADDRESS}'") == 1
    assert found("status eq 'quarantined'") == 0


def test_the_trace_comes_in_pages(client: Client) -> None:
    for number in range(5):
        post(client.lab, ADDRESS, letter(number))

    pages = [client.get(TRACES, filter=DAY, top="2").json()]
    while link := pages[-1].get("@odata.nextLink"):
        pages.append(client.get(link).json())

    assert [len(page["value"]) for page in pages] == [2, 2, 1]
    assert len({row["messageId"] for page in pages for row in page["value"]}) == 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "receivedDateTime ge 2026-03-02T00:00:00Z",
        "receivedDateTime ge 2026-03-02T00:00:00Z and receivedDateTime le 2026-03-20T00:00:00Z",
        "receivedDateTime ge 2025-03-02T00:00:00Z and receivedDateTime le 2025-03-03T00:00:00Z",
        "receivedDateTime ge 2026-03-03T00:00:00Z and receivedDateTime le 2026-03-02T00:00:00Z",
        "receivedDateTime ge yesterday and receivedDateTime le today",
        "receivedDateTime ge 2026-03-02 and receivedDateTime le 2026-03-03",
        f"{DAY} or messageId eq '<1@x>'",
        f"{DAY} and messageId eq '<1@x>' and messageId eq '<2@x>'",
        f"{DAY} and messageId eq <1@x>",
        f"{DAY} and nonsense eq 'x'",
        f"{DAY} and size ge '3'",
        "(" * 5000,
    ],
)
def test_a_filter_that_the_service_does_not_take_is_refused(client: Client, text: str) -> None:
    answer = client.get(TRACES, filter=text)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    "query", [{"top": "0"}, {"top": "x"}, {"skiptoken": "-1"}, {"orderby": "a"}]
)
def test_odd_query_options_are_refused(client: Client, query: dict[str, str]) -> None:
    assert client.get(TRACES, **{"filter": DAY, **query}).status_code == 400


def test_hunting_tells_where_a_message_is_now(client: Client, clock: ManualClock) -> None:
    for number, host in enumerate(["ok", "zap", "bad", "late", "no"]):
        post(client.lab, ADDRESS, letter(number, link=f"https://{host}.example.net/"))
    first = client.hunt(*(id_of(n) for n in range(5)), "<other@x>").json()
    clock.sleep(timedelta(minutes=59))
    unchanged = client.hunt(id_of(1)).json()
    clock.sleep(timedelta(minutes=1))
    client.sign_in()
    later = client.hunt(id_of(1)).json()

    assert [c["name"] for c in first["schema"]] == COLUMNS.split(", ")
    assert [(r["InternetMessageId"], r["DeliveryLocation"]) for r in first["results"]] == [
        (id_of(0), "Inbox/Folder"),
        (id_of(1), "Inbox/Folder"),
        (id_of(2), "Quarantine"),
        (id_of(4), "Failed"),
    ]
    assert unchanged["results"][0]["LatestDeliveryLocation"] == "Inbox/Folder"
    assert later["results"] == [
        {
            "InternetMessageId": id_of(1),
            "RecipientEmailAddress": ADDRESS,
            "DeliveryLocation": "Inbox/Folder",
            "LatestDeliveryLocation": "Quarantine",
        }
    ]


def test_hunting_tells_what_was_done_after_delivery(client: Client, clock: ManualClock) -> None:
    post(client.lab, ADDRESS, letter(1, link="https://zap.example.net/"))
    clock.sleep(timedelta(hours=2))
    client.sign_in()
    columns = "Timestamp, NetworkMessageId, ActionType, ActionResult, LatestDeliveryLocation"
    where = f'where InternetMessageId in ("{id_of(1)}")'
    query = f"union EmailEvents, EmailPostDeliveryEvents | {where} | project {columns}"

    first, done = client.query(query).json()["results"]

    assert first["LatestDeliveryLocation"] == "Quarantine"
    assert (done["Timestamp"], done["ActionType"]) == ("2026-03-02T09:00:00Z", "Phish ZAP")
    assert done["NetworkMessageId"] == first["NetworkMessageId"]
    by_network = f'where NetworkMessageId in ("{done["NetworkMessageId"]}")'
    again = client.query(f"EmailPostDeliveryEvents | {by_network} | project ActionType").json()
    assert again["results"] == [{"ActionType": "Phish ZAP"}]
    for table in ("UrlClickEvents", "EmailUrlInfo"):
        answer = client.query(f"{table} | {by_network} | project Url")
        assert (answer.status_code, answer.json()["results"]) == (200, [])


def test_hunting_tells_how_fresh_it_is(client: Client, clock: ManualClock) -> None:
    query = "EmailEvents | summarize Newest = max(Timestamp)"
    assert client.query(query).json()["results"] == [{}]
    post(client.lab, ADDRESS, letter(1))
    clock.sleep(timedelta(minutes=10))
    post(client.lab, ADDRESS, letter(2))

    assert client.query(query).json()["results"] == [{"Newest": "2026-03-02T08:10:00Z"}]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/messages?$filter=subject eq 'x'", 400, "ErrorInvalidUrlQueryFilter"),
        ("GET", "/messages", 400, "ErrorInvalidUrlQueryFilter"),
        ("GET", "/messages?$search=x", 400, "BadRequest"),
        ("GET", "/messages?$filter=internetMessageId eq 'x'&$select=body", 400, None),
        ("GET", "/messages?$filter=internetMessageId eq 'x'&$top=9999", 400, "BadRequest"),
        ("GET", "/messages/nothing", 404, "ErrorItemNotFound"),
        ("GET", "/messages/nothing/$value", 404, "ErrorItemNotFound"),
        ("GET", "/mailFolders/nothing", 404, "ErrorItemNotFound"),
        ("GET", "/mailFolders/inbox/childFolders", 400, "BadRequest"),
        ("PATCH", "/messages/x", 403, "ErrorAccessDenied"),
        ("POST", "/messages", 403, "ErrorAccessDenied"),
    ],
)
def test_mail_is_only_read_and_only_as_it_is_asked_here(
    client: Client, method: str, path: str, status: int, code: str | None
) -> None:
    url = f"{client.lab.api_url}/v1.0/users/{ADDRESS}{path}"

    answer = client.session.request(method, url, timeout=5)

    assert answer.status_code == status
    assert code in {None, answer.json()["error"]["code"]}


def test_a_mailbox_elsewhere_is_none_of_the_tenant_s(client: Client) -> None:
    client.lab.add_mailbox("seed@gmail.lab.example", PASSWORD)

    answer = client.get("/v1.0/users/seed@gmail.lab.example/mailFolders/inbox")

    assert answer.json()["error"]["code"] == "ErrorInvalidUser"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"requests": "x"},
        {"requests": [{"id": "1"}]},
        {"requests": [{"id": "1", "method": "GET", "url": "/me"}] * 21},
    ],
)
def test_a_batch_that_is_none_is_refused(client: Client, body: dict[str, object]) -> None:
    answer = client.session.post(f"{client.lab.api_url}/v1.0/$batch", json=body, timeout=5)

    assert answer.status_code == 400


def test_a_batch_answers_each_part_by_itself(client: Client) -> None:
    urls = [f"/users/{ADDRESS}/mailFolders/inbox", "/users/nobody@m365.lab.example/messages", "/x"]
    parts = [{"id": str(n), "method": "GET", "url": url} for n, url in enumerate(urls)]

    answer = client.session.post(
        f"{client.lab.api_url}/v1.0/$batch", json={"requests": parts}, timeout=5
    )

    found = {part["id"]: part["status"] for part in answer.json()["responses"]}
    assert found == {"0": 200, "1": 404, "2": 400}


@pytest.mark.parametrize(
    "body",
    [
        {"Query": "EmailEvents"},
        {"Query": "EmailEvents | where InternetMessageId in () | project Timestamp"},
        {"Query": 'EmailEvents | where InternetMessageId in ("a" "b") | project Timestamp'},
        {"Query": 'EmailEvents | where InternetMessageId in ("a") | project Secrets'},
        {"Query": 'EmailEvents | where InternetMessageId in ("a") | take 1'},
        {"Query": 'DeviceEvents | where InternetMessageId in ("a") | project Timestamp'},
        {"Query": 'UrlClickEvents | where InternetMessageId in ("a") | project Url'},
        {"Query": 3},
        {},
        {"Query": "EmailEvents", "Extra": 1},
        {
            "Query": 'EmailEvents | where InternetMessageId in ("a") | project Timestamp',
            "Timespan": "a day",
        },
    ],
)
def test_any_other_query_is_refused(client: Client, body: dict[str, object]) -> None:
    answer = client.session.post(client.lab.api_url + HUNT, json=body, timeout=5)

    assert answer.status_code == 400


def test_hunting_looks_back_as_far_as_it_is_told(client: Client, clock: ManualClock) -> None:
    post(client.lab, ADDRESS, letter(1))
    clock.sleep(timedelta(hours=19))
    client.sign_in()

    assert len(client.hunt(id_of(1), Timespan="P1D").json()["results"]) == 1
    assert client.hunt(id_of(1), Timespan="PT12H").json()["results"] == []


def test_an_advisory_appears_late_and_dated_back(client: Client, clock: ManualClock) -> None:
    seen = []
    for hours in (0, 10, 1, 2, 1):  # published after 2 + 9, resolved after 2 + 12
        clock.sleep(timedelta(hours=hours))
        client.sign_in()
        issues = client.get(ISSUES).json()["value"]
        seen.append({i["id"]: (i["startDateTime"], i["isResolved"]) for i in issues})

    started = "2026-03-02T10:00:00Z"
    ours = [issues.get("MO255463") for issues in seen]
    assert ours == [None, None, (started, False), (started, False), (started, True)]
    assert seen[0] == {"EX1": ("2026-03-02T08:00:00Z", False)}


def test_issues_come_in_pages_of_the_wished_size(client: Client, clock: ManualClock) -> None:
    clock.sleep(timedelta(hours=12))
    client.sign_in()
    client.session.headers["Prefer"] = "odata.maxpagesize=1"
    first = client.get(ISSUES).json()
    second = client.get(first["@odata.nextLink"]).json()

    assert [len(first["value"]), len(second["value"])] == [1, 1]
    assert "@odata.nextLink" not in second


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": "someone"}, 400, "unauthorized_client"),
        ({"client_secret": "guess"}, 401, "invalid_client"),
        ({"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_scope"),
        ({"tenant": "elsewhere"}, 400, "invalid_request"),
    ],
)
def test_a_wrong_sign_in_is_refused_as_entra_does(
    client: Client, change: dict[str, str], status: int, error: str
) -> None:
    answer = client.sign_in(**change)

    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_token_is_needed_and_expires(client: Client, clock: ManualClock) -> None:
    clock.sleep(timedelta(hours=1))
    expired = client.get(ISSUES)
    client.session.headers["Authorization"] = "Bearer made-up"
    forged = client.get(ISSUES)
    missing = requests.get(client.lab.api_url + ISSUES, timeout=5)

    for answer in (expired, forged, missing):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["error"]["code"] == "InvalidAuthenticationToken"


def test_a_busy_service_says_when_to_come_back(client: Client, clock: ManualClock) -> None:
    clock.sleep(timedelta(hours=20))
    client.sign_in()
    answer = client.get(ISSUES)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "90")


def test_a_late_log_hides_what_is_new(client: Client, clock: ManualClock) -> None:
    clock.sleep(timedelta(hours=22))
    post(client.lab, ADDRESS, letter(1))
    client.sign_in()

    assert client.hunt(id_of(1)).json()["results"] == []
    clock.sleep(timedelta(hours=12))
    client.sign_in()
    assert len(client.hunt(id_of(1)).json()["results"]) == 1


def test_other_methods_and_paths_are_refused(client: Client) -> None:
    base = client.lab.api_url
    assert client.session.post(base + ISSUES, timeout=5).status_code == 405
    assert client.session.get(base + HUNT, timeout=5).status_code == 405
    assert client.session.get(base + "/v1.0/users", timeout=5).status_code == 400
    assert client.session.get(base + "/", timeout=5).status_code == 404
