"""What each answer of a sending service means, for all of them."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from monitor.core.campaigns import Handover, Letter, Outcome
from monitor.core.errors import TransportRefusedError
from tests.edges.esp.conftest import make_letter, make_service
from tests.edges.esp.server import (
    Act,
    Deaf,
    Drip,
    EspServer,
    Goodbye,
    Silence,
    Vendor,
    reply,
)
from tests.edges.esp.vendors import BY_KIND, KEY, mandrill_result

ACCEPTED, DEFERRED, FAILED = Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.FAILED
UNCERTAIN = Outcome.UNCERTAIN
# There a key that may only send is refused any question, as an unknown one is.
QUIET = {"mailgun", "mailchimp"}
HTML = b"<html><h1>Sign in to the Wi-Fi</h1></html>"
Start = Callable[[Vendor], EspServer]


def hand_over(server: EspServer, *acts: Act, timeout_s: float = 10.0) -> list[Handover]:
    """Hand over one letter more than there are acts."""
    server.acts = list(acts)
    letters = [make_letter(number) for number in range(1, len(acts) + 2)]
    return list(make_service(server, timeout_s).send(letters))


def test_a_refused_letter_failed_and_was_not_rejected_by_a_mailbox_provider(
    server: EspServer,
) -> None:
    refused, other = hand_over(server, server.vendor.refused)

    assert (refused.outcome, refused.is_of_server, refused.is_of_service) == (FAILED, True, True)
    assert server.vendor.words in refused.problem
    assert other.outcome is ACCEPTED


def test_any_status_of_refusal_is_told_though_it_says_nothing(server: EspServer) -> None:
    statuses = (400, 402, 403, 404, 413, 422)

    *refused, other = hand_over(server, *(reply(code, b"", "text/plain") for code in statuses))

    for status, one in zip(statuses, refused, strict=True):
        assert one.outcome is FAILED
        assert f"refuses ({status})" in one.problem
    assert other.outcome is ACCEPTED


def test_a_redirect_is_not_followed(server: EspServer) -> None:
    (refused, _) = hand_over(server, reply(307, b"", Location=f"{server.url}/elsewhere"))

    assert refused.outcome is FAILED
    assert len(server.letters) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_asks_for_patience_is_not_asked_again(
    server: EspServer, status: int
) -> None:
    server.acts = [reply(status, b"", Retry_After="30")]
    deferred, other = make_service(server).send([make_letter(1), make_letter(2)])

    assert (deferred.outcome, other.outcome) == (DEFERRED, DEFERRED)
    assert deferred.reply is not None
    assert deferred.reply.code == status
    assert deferred.is_of_service
    assert deferred.reply.text.endswith("again in 30 s")
    assert other.message_id == "<2.a@brand.example>"
    assert len(server.letters) == 1


def test_an_error_of_the_service_itself_defers_one_letter(server: EspServer) -> None:
    deferred, other = hand_over(server, server.vendor.failed)

    assert deferred.outcome is DEFERRED
    assert deferred.reply is not None
    assert deferred.reply.code == 500
    assert other.outcome is ACCEPTED


NOT_ITS_ANSWER: tuple[Act, ...] = (
    reply(502, HTML, "text/html"),
    reply(504, b"", "text/plain"),
    reply(504, b"", "text/plain", Retry_After="30"),
    reply(500, HTML, "text/html"),
    reply(200, HTML, "text/html"),
    reply(200, b"", "text/plain"),
    reply(200, {}),
    reply(200, []),
    reply(200, b"[" * 100_000),
    reply(200, {"id": False, "MessageId": None, "messageId": {}, "MessageID": []}),
    b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nContent-Type: application/json\r\n\r\n{",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    Goodbye,
)


def test_what_nobody_confirmed_may_have_been_sent(server: EspServer) -> None:
    *doubtful, other = hand_over(server, *NOT_ITS_ANSWER)

    assert [one.outcome for one in doubtful] == [UNCERTAIN] * len(NOT_ITS_ANSWER)
    assert all(one.problem for one in doubtful)
    assert other.outcome is ACCEPTED


def test_an_id_that_could_be_none_is_not_taken(server: EspServer) -> None:
    keys = ("id", "_id", "MessageID", "MessageId", "messageId")
    ids = ("a\nb", "a\x00b", "", "a b", "a<b", "x" * 300, "é")
    answers = []
    for id_ in ids:
        body: dict[str, object] = {**dict.fromkeys(keys, id_), "status": "sent"}
        body["results"] = {"total_accepted_recipients": 1, "id": id_}
        is_list = server.vendor.kind == "mailchimp"
        answers.append(reply(200, [body] if is_list else body))

    *doubtful, _ = hand_over(server, *answers)

    assert [one.outcome for one in doubtful] == [UNCERTAIN] * len(ids)
    assert {one.their_id for one in doubtful} == {""}


def test_a_huge_answer_is_cut(server: EspServer) -> None:
    huge = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n"

    doubtful, other = hand_over(server, huge + b"x" * 1_000_000)

    assert (doubtful.outcome, other.outcome) == (UNCERTAIN, ACCEPTED)


def test_a_silent_service_is_not_waited_for_twice(server: EspServer) -> None:
    doubtful, other = in_a_hurry(server, Silence)

    assert (doubtful.outcome, other.outcome) == (UNCERTAIN, FAILED)
    assert "no answer in time" in other.problem
    assert len(server.letters) == 1


def test_a_service_that_never_comes_to_an_end_holds_nobody(start: Start) -> None:
    doubtful, other = in_a_hurry(start(BY_KIND["ses"]), Drip)

    assert (doubtful.outcome, other.outcome) == (UNCERTAIN, FAILED)


def in_a_hurry(server: EspServer, act: Act) -> list[Handover]:
    """Hand two letters over; each may take 0.2 seconds."""
    service = make_service(server, timeout_s=0.2)
    service.known.set()
    server.acts = [act]
    return list(service.send([make_letter(1), make_letter(2)]))


def test_a_request_that_broke_off_was_not_sent(start: Start) -> None:
    server = start(BY_KIND["mailgun"])
    server.acts = [Deaf]
    big = Letter("<big@brand.example>", "", "seed@mailbox.example", b"x" * 10_000_000)

    (handover,) = make_service(server).send([big])

    assert handover.outcome is FAILED


def test_a_service_that_is_not_there_gets_nothing(server: EspServer) -> None:
    service = make_service(server)
    server.stop()

    handovers = list(service.send([make_letter(1), make_letter(2)]))

    assert [one.outcome for one in handovers] == [FAILED, FAILED]
    assert all("cannot be reached" in one.problem for one in handovers)


@pytest.mark.parametrize("kind", sorted(set(BY_KIND) - QUIET))
def test_a_key_that_is_not_known_is_refused_before_any_letter(start: Start, kind: str) -> None:
    server = start(BY_KIND[kind])
    service = make_service(server)
    server.question = server.vendor.unknown_key

    with pytest.raises(TransportRefusedError) as refused:
        service.send([make_letter()])

    assert service.KEY_REMEDY in str(refused.value)
    assert server.letters == []


def test_a_key_that_was_withdrawn_fails_all_letters_and_is_asked_about_again(
    server: EspServer,
) -> None:
    service = make_service(server)
    server.acts = [server.vendor.taken, server.vendor.unknown_key]

    _, second, third = service.send([make_letter(number) for number in (1, 2, 3)])

    assert (second.outcome, third.outcome) == (FAILED, FAILED)
    assert service.KEY_REMEDY in second.problem
    assert len(server.letters) == 2
    assert not service.known.is_set()


def test_a_key_is_asked_about_once(server: EspServer) -> None:
    service = make_service(server)
    for _ in range(3):
        list(service.send([make_letter()]))

    assert server.questions == (0 if server.vendor.kind in QUIET else 1)


@pytest.mark.parametrize("kind", ["ses", "sparkpost", "resend"])
def test_a_key_that_may_only_send_sends(start: Start, kind: str) -> None:
    server = start(BY_KIND[kind])
    server.question = server.vendor.only_sends

    (handover,) = make_service(server).send([make_letter()])

    assert handover.outcome is ACCEPTED


def test_a_question_that_fails_holds_no_letter_up(server: EspServer) -> None:
    server.question = reply(500, HTML, "text/html")

    (handover,) = make_service(server).send([make_letter()])

    assert handover.outcome is ACCEPTED


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        (
            "mailchimp",
            mandrill_result("rejected", "unsigned"),
            "rejected (unsigned). Verify the From domain",
        ),
        ("mailchimp", mandrill_result("invalid"), "invalid"),
        ("postmark", reply(200, {"ErrorCode": 406, "Message": "inactive"}), "inactive (error 406)"),
        (
            "sparkpost",
            reply(200, {"results": {"total_accepted_recipients": 0, "id": "1"}}),
            "no recipient was accepted",
        ),
    ],
)
def test_success_that_is_none_is_a_refusal(
    start: Start, kind: str, answer: bytes, words: str
) -> None:
    refused, other = hand_over(start(BY_KIND[kind]), answer)

    assert (refused.outcome, other.outcome) == (FAILED, ACCEPTED)
    assert words in refused.problem


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("sendgrid", "Sender Authentication"),
        ("postmark", "suppression list"),
        ("ses", "Verify it in this region"),
        ("sparkpost", "Verify the sending domain"),
        ("brevo", "Verify the sender"),
        ("resend", "resend.com/domains"),
    ],
)
def test_a_refusal_comes_with_what_to_do(start: Start, kind: str, remedy: str) -> None:
    server = start(BY_KIND[kind])

    assert remedy in hand_over(server, server.vendor.refused)[0].problem


def test_a_plan_that_is_used_up_is_not_called_a_wrong_key(start: Start) -> None:
    server = start(BY_KIND["sendgrid"])
    server.acts = [reply(401, {"errors": [{"message": "Maximum credits exceeded"}]})]

    first, second = make_service(server).send([make_letter(1), make_letter(2)])

    assert first.problem == second.problem
    assert first.problem.endswith("The plan's mails are used up: raise it, or wait.")


@pytest.mark.parametrize("status", ["queued", "scheduled"])
def test_a_queued_letter_is_a_taken_one(start: Start, status: str) -> None:
    assert hand_over(start(BY_KIND["mailchimp"]), mandrill_result(status))[0].outcome is ACCEPTED


def test_services_have_codes_of_their_own_for_later(start: Start) -> None:
    spark, resend = start(BY_KIND["sparkpost"]), start(BY_KIND["resend"])
    limit = reply(420, {"errors": [{"message": "Exceed Sending Limit (hourly)", "code": "2101"}]})
    busy = reply(409, {"name": "concurrent_idempotent_requests", "message": "in progress"})
    clash = reply(409, {"name": "invalid_idempotent_request", "message": "another payload"})

    assert [one.outcome for one in hand_over(spark, limit)] == [DEFERRED, DEFERRED]
    assert [one.outcome for one in hand_over(resend, busy, clash)] == [DEFERRED, FAILED, ACCEPTED]


def test_a_secret_that_comes_back_in_a_refusal_is_not_repeated(server: EspServer) -> None:
    words = f"the key {KEY} \x1b[31m\r\nis\x00 {'odd ' * 500}"
    body = {
        "errors": [{"message": words}],
        "message": words,
        "Message": words,
        "status": "error",
        "name": words,
    }

    (refused, _) = hand_over(server, reply(400, body))

    assert KEY not in refused.problem
    assert "***" in refused.problem
    assert refused.problem.isprintable()
    assert len(refused.problem) < 800


def test_a_certificate_that_is_not_its_own_gets_no_key() -> None:
    stranger = EspServer(BY_KIND["sendgrid"], tls=_certificate())
    try:
        with pytest.raises(TransportRefusedError, match="certificate that is not its own"):
            make_service(stranger).send([make_letter()])
        with pytest.raises(TransportRefusedError, match="certificate that is not its own"):
            make_service(stranger).check()
    finally:
        stranger.stop()
    assert stranger.letters == []


def _certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_neither_proxies_nor_netrc_nor_cookies_come_in(
    server: EspServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    taken = server.vendor.taken.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n", 1)

    _, second = hand_over(server, taken)

    assert second.outcome is ACCEPTED
    assert "cookie" not in server.letters[1].headers
