"""Sign-in by OAuth: a strict server of its RFCs, MSAL against one of Microsoft's shape."""

import base64
import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import trustme

from monitor.core.clock import ManualClock
from monitor.core.errors import (
    AgainLaterError,
    BadInputError,
    MailboxBusyError,
    MailboxLockedError,
    PersonNeededError,
)
from monitor.oauth import (
    OAuthApp,
    OAuthClient,
    RefreshingTokens,
    authorize,
    default_scopes,
)
from tests.edges.strict_http import TROUBLE, Asked, FaultError, Reply, StrictService

SECRET = "cl1ent-s3cret"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
SCOPES = ("https://graph.microsoft.com/Mail.Read",)


class Provider:
    """Token, device and discovery endpoints; refresh tokens rotate, as Microsoft's do."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.good = "refresh-1"
        self.rotates = True
        self.life: Any = 3600
        self.given = 0
        self.pending = 2  # questions before the person agrees
        self.pending_error = "authorization_pending"
        self.challenge = ""
        self.redirect = ""
        self.service = StrictService(self._answer, tls=tls)

    @property
    def forms(self) -> list[dict[str, str]]:
        return [asked.form for asked in self.service.asked if asked.method == "POST"]

    def _answer(self, asked: Asked) -> Reply:
        if asked.path.endswith("/.well-known/openid-configuration"):
            return self._discovery(asked.path)
        assert asked.method == "POST"
        if "device" in asked.path:
            return self._device(asked.form)
        assert asked.path.endswith("/token")
        return self._token(asked.form)

    def _discovery(self, path: str) -> Reply:
        tenant = path.split("/")[1]
        if tenant == "nobody":
            raise FaultError(400, {"error": "invalid_tenant"})
        base = f"{self.service.url}/{tenant}"
        return Reply(
            {
                "issuer": f"{base}/v2.0",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            }
        )

    def _device(self, form: dict[str, str]) -> Reply:
        assert form["client_id"] == "app"
        assert form["scope"]
        return Reply(
            {
                "device_code": "d3vice",
                "user_code": "ABCD-EFGH",
                "verification_uri": "https://login.example/device",
                "expires_in": 900,
                "interval": 5,
            }
        )

    def _token(self, form: dict[str, str]) -> Reply:
        if form["client_id"] != "app":
            raise FaultError(401, {"error": "invalid_client"})
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != self.good:
                raise FaultError(400, {"error": "invalid_grant", "error_description": "revoked"})
        elif form["grant_type"] == DEVICE:
            assert form["device_code"] == "d3vice"
            if self.pending:
                self.pending -= 1
                raise FaultError(400, {"error": self.pending_error})
        else:
            assert (form["grant_type"], form["code"]) == ("authorization_code", "c0de")
            assert form["redirect_uri"] == self.redirect
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == self.challenge
        return self._tokens()

    def _tokens(self) -> Reply:
        self.given += 1
        body = {"token_type": "Bearer", "access_token": f"access-{self.given}"}
        if self.life is not None:
            body["expires_in"] = self.life
        if self.rotates:
            self.good = f"refresh-{self.given + 1}"
            body["refresh_token"] = self.good
        return Reply(body)


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    yield server
    assert server.service.mistakes == []
    server.service.stop()


class Seconds:
    """A clock that only runs forward, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def app_of(provider: Provider, **changes: Any) -> OAuthApp:
    usual: dict[str, Any] = {
        "kind": "custom",
        "client_id": "app",
        "client_secret": SECRET,
        "scopes": ("mail.read",),
        "token_url": f"{provider.service.url}/token",
    }
    return OAuthApp(**(usual | changes))


def client_of(provider: Provider, *, timeout_s: float = 5, **changes: Any) -> OAuthClient:
    return OAuthClient(app_of(provider, **changes), timeout_s=timeout_s)


def test_a_token_is_used_until_shortly_before_it_ends(provider: Provider) -> None:
    seconds = Seconds()
    kept: list[str] = []
    tokens = RefreshingTokens(client_of(provider), "refresh-1", kept.append, monotonic_s=seconds)

    first = [tokens.token(), tokens.token()]
    seconds.now += 3400
    second = tokens.token()
    seconds.now += 100
    third = tokens.token()

    assert (first, second, third) == (["access-1"] * 2, "access-1", "access-2")
    assert kept == ["refresh-2", "refresh-3"]
    assert provider.forms[0] == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-1",
        "client_id": "app",
        "client_secret": SECRET,
    }


def test_a_refused_token_is_renewed_and_another_is_not(provider: Provider) -> None:
    tokens = RefreshingTokens(client_of(provider), "refresh-1", lambda _: None)
    first = tokens.token()
    tokens.reject("some older one")
    assert tokens.token() == first

    tokens.reject(first)

    assert tokens.token() == "access-2"


def test_a_new_refresh_token_is_kept_before_the_access_token_is_used(provider: Provider) -> None:
    """A refresh token that is lost locks the mailbox: better to fail at once."""

    kept: list[str] = []

    def keep(token: str) -> None:
        kept.append(token)
        if len(kept) == 1:
            raise AgainLaterError("the database is away.")

    tokens = RefreshingTokens(client_of(provider), "refresh-1", keep)

    with pytest.raises(AgainLaterError, match="database"):
        tokens.token()
    assert tokens.token() == "access-2"
    assert kept == ["refresh-2", "refresh-2", "refresh-3"]


def test_a_refresh_token_that_does_not_change_is_not_kept_again(provider: Provider) -> None:
    provider.rotates = False
    kept: list[str] = []
    tokens = RefreshingTokens(client_of(provider), "refresh-1", kept.append)

    assert (tokens.token(), kept) == ("access-1", [])


def test_threads_share_one_renewal(provider: Provider) -> None:
    tokens = RefreshingTokens(client_of(provider), "refresh-1", lambda _: None)
    threads = [threading.Thread(target=tokens.token) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert provider.given == 1


@pytest.mark.parametrize("life", [None, "soon", -5, 0, True, 10**400, "3600"])
def test_a_token_of_any_life_is_used(provider: Provider, life: object) -> None:
    provider.life = life
    tokens = RefreshingTokens(client_of(provider), "refresh-1", lambda _: None)

    assert [tokens.token(), tokens.token()] == ["access-1"] * 2


def test_a_withdrawn_grant_needs_a_person(provider: Provider) -> None:
    tokens = RefreshingTokens(client_of(provider), "revoked-t0ken", lambda _: None)

    with pytest.raises(MailboxLockedError, match="no longer honours the grant") as caught:
        tokens.token()
    assert "seedwatch seeds authorize ADDRESS" in caught.value.remedy
    shown = f"{caught.value} {tokens!r} {tokens._client!r} {tokens._client.app!r}"
    assert SECRET not in shown
    assert "revoked-t0ken" not in shown


def test_a_seed_that_nobody_authorized_needs_a_person(provider: Provider) -> None:
    with pytest.raises(MailboxLockedError, match="nobody has let us"):
        RefreshingTokens(client_of(provider), "", lambda _: None).token()
    assert provider.service.asked == []


def test_an_unknown_application_needs_a_person(provider: Provider) -> None:
    with pytest.raises(MailboxLockedError, match=r"refuses our application \(invalid_client\)"):
        client_of(provider, client_id="another").refresh("refresh-1")


@pytest.mark.parametrize(
    ("reply", "wait"),
    [
        (Reply({"error": "slow"}, 429, {"Retry-After": "17"}), 17),
        (Reply({"error": "temporarily_unavailable"}, 400), None),
        (Reply({"no": "error"}, 400), 0),
        (Reply({"access_token": 7}), None),
        (Reply({"access_token": "a\r\nb"}), None),
        (Reply({}), None),
        *((TROUBLE[name], 40 if name == "503" else None) for name in TROUBLE),
    ],
)
def test_an_answer_that_makes_no_sense_means_later(
    provider: Provider, reply: Reply, wait: int | None
) -> None:
    provider.service.faults = [reply]

    with pytest.raises(MailboxBusyError) as caught:
        client_of(provider).refresh("refresh-1")
    assert caught.value.retry_after == (None if wait is None else timedelta(seconds=wait))


def test_a_sign_in_that_wants_to_be_left_alone_is_not_asked_meanwhile(provider: Provider) -> None:
    seconds = Seconds()
    tokens = RefreshingTokens(client_of(provider), "refresh-1", str, monotonic_s=seconds)
    provider.service.faults = [Reply({"error": "slow"}, 429, {"Retry-After": "600"})]
    with pytest.raises(MailboxBusyError, match="429"):
        tokens.token()

    seconds.now += 599
    with pytest.raises(MailboxBusyError, match="left alone") as caught:
        tokens.token()
    asked = len(provider.service.asked)
    seconds.now += 1

    assert (asked, caught.value.retry_after) == (1, timedelta(seconds=1))
    assert tokens.token() == "access-1"


def test_a_provider_that_is_not_there_means_later(provider: Provider) -> None:
    client = client_of(provider, token_url="http://127.0.0.1:1/token")

    with pytest.raises(MailboxBusyError, match="cannot be reached"):
        client.refresh("refresh-1")


def test_each_reader_has_its_scope() -> None:
    assert default_scopes("microsoft", "graph") == SCOPES
    assert default_scopes("microsoft", "imap")[0].endswith("IMAP.AccessAsUser.All")
    assert default_scopes("google", "gmail")[0].endswith("gmail.readonly")
    assert default_scopes("google", "imap") == ("https://mail.google.com/",)
    assert default_scopes("custom", "jmap") == ()


def agree(provider: Provider, **changes: Any) -> Callable[[str], None]:
    """Return a person who opens the address that is shown, and agrees."""

    def show(line: str) -> None:
        address = urlsplit(line.rpartition(" ")[2])
        query = dict(parse_qsl(address.query))
        provider.challenge, provider.redirect = query["code_challenge"], query["redirect_uri"]
        assert query["code_challenge_method"] == "S256"
        port = urlsplit(query["redirect_uri"]).port
        local = f"http://127.0.0.1:{port}"
        answer = {"code": "c0de", "state": query["state"]} | changes
        provider.asked = query  # type: ignore[attr-defined]

        def browse() -> None:
            requests.get(f"{local}/favicon.ico", timeout=5)
            requests.get(f"{local}/?code=forged&state=guess", timeout=5)
            requests.get(local, params=answer, timeout=5)

        threading.Thread(target=browse).start()

    return show


def by_browser(provider: Provider, **changes: Any) -> OAuthClient:
    url = f"{provider.service.url}/authorize"
    return client_of(provider, authorize_url=url, **changes)


def test_a_person_agrees_in_a_browser_on_this_machine(
    provider: Provider, clock: ManualClock
) -> None:
    client = by_browser(provider, kind="google")

    token = authorize(client, agree(provider), clock=clock, address="seed@gmail.example")

    assert token == "refresh-2"
    asked = provider.asked  # type: ignore[attr-defined]
    assert (asked["access_type"], asked["prompt"]) == ("offline", "consent")
    assert (asked["login_hint"], asked["scope"]) == ("seed@gmail.example", "mail.read")
    assert urlsplit(asked["redirect_uri"]).hostname == "127.0.0.1"


def test_a_person_who_says_no_ends_it(provider: Provider, clock: ManualClock) -> None:
    show = agree(provider, code="", error="access_denied")

    with pytest.raises(MailboxLockedError, match="did not agree"):
        authorize(by_browser(provider), show, clock=clock)


def test_nobody_waits_for_ever_for_a_browser(provider: Provider, clock: ManualClock) -> None:
    with pytest.raises(MailboxLockedError, match="nobody agreed in time"):
        authorize(
            by_browser(provider),
            lambda _: None,
            clock=clock,
            limit=timedelta(milliseconds=50),
        )


def test_a_provider_without_addresses_cannot_be_asked(
    provider: Provider, clock: ManualClock
) -> None:
    with pytest.raises(BadInputError, match="authorize_url"):
        authorize(client_of(provider), print, clock=clock)


def test_a_grant_without_a_refresh_token_is_none(provider: Provider, clock: ManualClock) -> None:
    provider.rotates = False

    with pytest.raises(MailboxLockedError, match="without a refresh token"):
        authorize(by_browser(provider), agree(provider), clock=clock)


def by_device(provider: Provider) -> OAuthClient:
    return client_of(provider, device_url=f"{provider.service.url}/device")


def test_a_person_agrees_on_any_device(provider: Provider, clock: ManualClock) -> None:
    lines: list[str] = []
    begun = clock.now()

    token = authorize(by_device(provider), lines.append, clock=clock)

    assert token == "refresh-2"
    assert lines == [
        "Open https://login.example/device in any browser and enter the code ABCD-EFGH"
    ]
    assert clock.now() - begun == timedelta(seconds=3 * 5)
    assert provider.forms[-1]["client_secret"] == SECRET


def test_a_provider_that_wants_it_slower_is_asked_more_slowly(
    provider: Provider, clock: ManualClock
) -> None:
    provider.pending_error = "slow_down"
    begun = clock.now()

    authorize(by_device(provider), lambda _: None, clock=clock)

    assert clock.now() - begun == timedelta(seconds=5 + 10 + 15)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("access_denied", "did not agree"),
        ("authorization_declined", "did not agree"),
        ("expired_token", "nobody agreed in time"),
        ("invalid_client", "refuses our application"),
    ],
)
def test_a_device_authorization_that_fails_says_why(
    provider: Provider, clock: ManualClock, error: str, words: str
) -> None:
    provider.pending_error = error

    with pytest.raises(PersonNeededError, match=words):
        authorize(by_device(provider), lambda _: None, clock=clock)


def test_nobody_is_asked_for_ever_whether_a_person_agreed(
    provider: Provider, clock: ManualClock
) -> None:
    provider.pending = 10_000
    begun = clock.now()

    with pytest.raises(MailboxLockedError, match="nobody agreed in time"):
        authorize(by_device(provider), lambda _: None, clock=clock, limit=timedelta(minutes=1))
    assert clock.now() - begun <= timedelta(minutes=1)


def test_a_provider_that_is_away_for_a_moment_is_asked_again(
    provider: Provider, clock: ManualClock
) -> None:
    start = provider._device({"client_id": "app", "scope": "x"})
    provider.service.faults = [start, TROUBLE["503"], TROUBLE["html"]]

    assert authorize(by_device(provider), lambda _: None, clock=clock) == "refresh-2"


# Microsoft, by MSAL, which takes none but https.


@pytest.fixture
def microsoft(ca: trustme.CA) -> Iterator[Provider]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    server = Provider(tls=context)
    yield server
    assert server.service.mistakes == []
    server.service.stop()


def msal_of(
    microsoft: Provider, ca_file: str | None, *, tenant: str = "common", secret: str = ""
) -> OAuthClient:
    app = OAuthApp(
        "microsoft",
        "app",
        secret,
        tenant=tenant,
        scopes=[*SCOPES, "offline_access"],
        authority=microsoft.service.url,
    )
    return OAuthClient(app, timeout_s=5, ca_file=ca_file)


@pytest.mark.parametrize("secret", ["", SECRET])
def test_microsoft_s_tokens_are_renewed_and_its_refresh_tokens_kept(
    microsoft: Provider, ca_file: str, secret: str
) -> None:
    kept: list[str] = []
    client = msal_of(microsoft, ca_file, secret=secret)
    tokens = RefreshingTokens(client, "refresh-1", kept.append)

    first = tokens.token()
    tokens.reject(first)

    assert (first, tokens.token()) == ("access-1", "access-2")
    assert kept == ["refresh-2", "refresh-3"]
    form = microsoft.forms[-1]
    assert form.get("client_secret", "") == secret
    assert set(form["scope"].split()) == {*SCOPES, "offline_access", "openid", "profile"}


def test_a_person_agrees_at_microsoft_on_any_device(
    microsoft: Provider, ca_file: str, clock: ManualClock
) -> None:
    lines: list[str] = []

    token = authorize(msal_of(microsoft, ca_file), lines.append, clock=clock)

    assert (token, len(lines)) == ("refresh-2", 1)
    assert "ABCD-EFGH" in lines[0]


def test_an_application_with_a_secret_needs_a_browser_on_this_machine(
    microsoft: Provider, ca_file: str, clock: ManualClock
) -> None:
    client = msal_of(microsoft, ca_file, secret=SECRET)

    assert authorize(client, agree(microsoft), clock=clock) == "refresh-2"
    assert urlsplit(microsoft.redirect).hostname == "localhost"


def test_what_microsoft_refuses_needs_a_person(microsoft: Provider, ca_file: str) -> None:
    with pytest.raises(MailboxLockedError, match="no longer honours the grant"):
        msal_of(microsoft, ca_file).refresh("revoked")
    with pytest.raises(MailboxLockedError, match="knows no such tenant"):
        msal_of(microsoft, ca_file, tenant="nobody").refresh("refresh-1")
    with pytest.raises(MailboxLockedError, match="certificate that is not its own"):
        msal_of(microsoft, None).refresh("refresh-1")


@pytest.mark.parametrize("step", ["discovery", "token"])
@pytest.mark.parametrize("kind", ["html", "cut", "list", "deep", "503", "redirect", "empty"])
def test_microsoft_s_trouble_means_later(
    microsoft: Provider, ca_file: str, step: str, kind: str
) -> None:
    client = msal_of(microsoft, ca_file)
    if step == "token":
        client.refresh("refresh-1")
    microsoft.service.faults = [Reply({}) if kind == "empty" else TROUBLE[kind]]

    with pytest.raises(MailboxBusyError) as caught:
        client.refresh("refresh-1")
    assert caught.value.retry_after == (timedelta(seconds=40) if kind == "503" else None)
