"""The SMTP transport against servers that misbehave in every stage."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from monitor.core.campaigns import Handover, Letter, Outcome, SmtpReply
from monitor.core.errors import AgainLaterError, TransportBusyError
from monitor.core.seeds import Endpoint, Security
from monitor.senders.replies import read_reply
from monitor.senders.routes import DirectRoute, smarthost
from monitor.senders.smtp import SmtpTransport

WAIT_S = 10.0  # a test that takes as long has failed
HELLO = "250-test.example\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n"


class Conversation:
    """One client's connection, from the server's side."""

    def __init__(self, connection: socket.socket, heard: list[str]) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._heard = heard

    def say(self, text: str) -> None:
        self._connection.sendall(text.encode())

    def hear(self) -> str:
        raw = self._lines.readline(100_000)
        if not raw:
            raise ConnectionResetError("the client is gone")
        line = raw.decode("latin-1").rstrip("\r\n")
        self._heard.append(line)
        return line

    def hear_body(self) -> None:
        while self.hear() != ".":
            pass

    def end(self) -> None:
        self._lines.close()
        self._connection.close()

    def take(
        self, *, greeting: str = "220 test.example\r\n", replies: dict[str, str] | None = None
    ) -> None:
        """Play an ordinary server with some *replies* of its own, by the first word heard."""
        known = {"EHLO": HELLO, "DATA": "354 go on\r\n", ".": "250 2.0.0 queued as 17\r\n"}
        known |= {"QUIT": "221 bye\r\n"} | (replies or {})
        self.say(greeting)
        while line := self.hear():
            word = line.split(" ")[0].split(":")[0].upper()
            reply = known.get(word, "250 2.1.0 fine\r\n")
            if reply == "":
                return
            self.say(reply)
            if word == "DATA" and reply.startswith("354"):
                self.hear_body()
                if known["."] == "":
                    return
                self.say(known["."])
            if word == "QUIT" or reply.startswith("421"):
                return


Script = Callable[[Conversation], None]


class Server:
    """Plays one script per connection; the last one is repeated."""

    def __init__(self, *scripts: Script) -> None:
        self.heard: list[list[str]] = []
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self._listener.getsockname()[1], Security.PLAIN)

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stops:
                connection.close()
                return
            heard: list[str] = []
            self.heard.append(heard)
            script = self._scripts[min(len(self.heard), len(self._scripts)) - 1]
            conversation = Conversation(connection, heard)
            with suppress(OSError):
                script(conversation)
            conversation.end()

    _stops = False

    def stop(self) -> None:
        self._stops = True
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join(WAIT_S)
        self._listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*scripts: Script) -> Server:
        servers.append(Server(*scripts))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def playing(*, greeting: str = "220 test.example\r\n", **replies: str) -> Script:
    """A server with some replies of its own; `end` is the answer to the end of data."""
    own = {("." if word == "end" else word): reply for word, reply in replies.items()}
    return lambda conversation: conversation.take(greeting=greeting, replies=own)


def letter(number: int = 1, *, raw: bytes = b"Subject: x\r\n\r\nhello\r\n") -> Letter:
    return Letter(f"<{number}@a.example>", "bounce@a.example", f"seed{number}@b.example", raw)


def transport(endpoint: Endpoint, *, timeout_s: float = WAIT_S) -> SmtpTransport:
    return SmtpTransport(smarthost(endpoint), hostname="monitor.example", timeout_s=timeout_s)


def send(server: Server, count: int = 1, *, timeout_s: float = WAIT_S) -> list[Handover]:
    letters = [letter(number) for number in range(1, count + 1)]
    return list(transport(server.endpoint, timeout_s=timeout_s).send(letters))


def outcomes(handovers: list[Handover]) -> list[Outcome]:
    return [handover.outcome for handover in handovers]


ACCEPTED, DEFERRED, REJECTED = Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.REJECTED
UNCERTAIN, FAILED = Outcome.UNCERTAIN, Outcome.FAILED


def test_many_letters_travel_over_one_connection(serve: Callable[..., Server]) -> None:
    server = serve(playing())

    handovers = send(server, 3)

    assert outcomes(handovers) == [ACCEPTED] * 3
    assert [h.message_id for h in handovers] == ["<1@a.example>", "<2@a.example>", "<3@a.example>"]
    assert handovers[0].reply == SmtpReply(250, "2.0.0", "queued as 17")
    assert len(server.heard) == 1
    assert server.heard[0][0] == "ehlo monitor.example"
    assert server.heard[0][-1] == "quit"


def test_each_outcome_is_known_before_the_next_letter_goes(serve: Callable[..., Server]) -> None:
    server = serve(playing())

    handovers = transport(server.endpoint).send([letter(1), letter(2)])
    first = next(handovers)

    assert first.outcome is ACCEPTED
    assert not any("seed2" in line for line in server.heard[0])
    assert next(handovers).outcome is ACCEPTED
    assert list(handovers) == []


def test_no_letters_need_no_server() -> None:
    nowhere = Endpoint("127.0.0.1", 1, Security.PLAIN)

    assert list(transport(nowhere).send([])) == []


def test_the_body_arrives_as_it_was_written(serve: Callable[..., Server]) -> None:
    server = serve(playing())
    raw = b"Subject: x\r\n\r\n.leading dot\r\n..two\r\n.\r\nend"

    handovers = list(transport(server.endpoint).send([letter(raw=raw)]))

    assert outcomes(handovers) == [ACCEPTED]
    start = server.heard[0].index("DATA")
    arrived = ["Subject: x", "", "..leading dot", "...two", "..", "end", "."]
    assert server.heard[0][start + 1 :] == [*arrived, "quit"]


def test_bare_line_feeds_cannot_end_a_message_early(serve: Callable[..., Server]) -> None:
    server = serve(playing())
    smuggled = b"Subject: x\n\nhello\n.\nMAIL FROM:<evil@a.example>\n"

    handovers = list(transport(server.endpoint).send([letter(raw=smuggled)]))

    assert outcomes(handovers) == [ACCEPTED]
    assert ".." in server.heard[0]


@pytest.mark.parametrize(
    ("stage", "reply", "outcome", "expected"),
    [
        ("MAIL", "451 4.7.500 Server busy\r\n", DEFERRED, SmtpReply(451, "4.7.500", "Server busy")),
        ("MAIL", "550 no\r\n", REJECTED, SmtpReply(550, "", "no")),
        ("RCPT", "450 4.2.0 greylisted\r\n", DEFERRED, SmtpReply(450, "4.2.0", "greylisted")),
        ("RCPT", "452 4.2.2 mailbox full\r\n", DEFERRED, SmtpReply(452, "4.2.2", "mailbox full")),
        ("DATA", "451 4.3.2 not now\r\n", DEFERRED, SmtpReply(451, "4.3.2", "not now")),
        ("end", "550 5.7.1 [CS01] policy\r\n", REJECTED, SmtpReply(550, "5.7.1", "[CS01] policy")),
        ("end", "452 4.3.1 disk full\r\n", DEFERRED, SmtpReply(452, "4.3.1", "disk full")),
        (
            "RCPT",
            "550-5.1.1 The account does not exist.\r\n550-5.1.1 Try\r\n550 5.1.1 later\r\n",
            REJECTED,
            SmtpReply(550, "5.1.1", "The account does not exist. Try later"),
        ),
    ],
)
def test_a_refusal_at_any_stage_is_kept_with_its_reply(
    serve: Callable[..., Server], stage: str, reply: str, outcome: Outcome, expected: SmtpReply
) -> None:
    [handover] = send(serve(playing(**{stage: reply})))

    assert handover.outcome is outcome
    assert handover.reply == expected


def test_after_a_refused_recipient_the_others_go_on(serve: Callable[..., Server]) -> None:
    def picky(conversation: Conversation) -> None:
        conversation.say("220 x\r\n")
        while line := conversation.hear():
            word = line[:4].upper()
            if word == "DATA":
                conversation.say("354 go\r\n")
                conversation.hear_body()
            conversation.say("550 5.1.1 unknown\r\n" if "seed2@" in line else "250 ok\r\n")
            if word == "QUIT":
                return

    server = serve(picky)

    assert outcomes(send(server, 3)) == [ACCEPTED, REJECTED, ACCEPTED]
    assert len(server.heard) == 1
    assert "rset" in [line.lower() for line in server.heard[0]]


@pytest.mark.parametrize(
    ("greeting", "outcome"),
    [
        ("421 4.3.2 come back later\r\n", DEFERRED),
        ("554-gmx.example Nemesis ESMTP\r\n554 No SMTP service\r\n", REJECTED),
    ],
)
def test_a_refusing_greeting_concerns_every_letter(
    serve: Callable[..., Server], greeting: str, outcome: Outcome
) -> None:
    server = serve(playing(greeting=greeting))

    handovers = send(server, 3)

    assert outcomes(handovers) == [outcome] * 3
    assert len(server.heard) == 1


def test_a_connection_that_the_server_ends_is_opened_again(serve: Callable[..., Server]) -> None:
    """Servers close a connection after so many messages; that is no fault of a letter."""

    def one_letter_only(conversation: Conversation) -> None:
        conversation.take(
            replies={"QUIT": "", "RSET": ""} | {".": "250 ok\r\n", "MAIL": "250 ok\r\n"}
        )

    def closes_after_the_first(conversation: Conversation) -> None:
        conversation.say("220 x\r\n")
        for reply in (HELLO, "250 ok\r\n", "250 ok\r\n", "354 go\r\n"):
            conversation.hear()
            conversation.say(reply)
        conversation.hear_body()
        conversation.say("250 ok\r\n")

    server = serve(closes_after_the_first, closes_after_the_first, one_letter_only)

    assert outcomes(send(server, 3)) == [ACCEPTED] * 3
    assert len(server.heard) == 3


def test_421_in_mid_session_defers_no_letter_that_a_new_connection_can_carry(
    serve: Callable[..., Server],
) -> None:
    def enough_after_one(conversation: Conversation) -> None:
        conversation.say("220 x\r\n")
        for reply in (HELLO, "250 ok\r\n", "250 ok\r\n", "354 go\r\n"):
            conversation.hear()
            conversation.say(reply)
        conversation.hear_body()
        conversation.say("250 ok\r\n")
        conversation.hear()
        conversation.say("421 4.7.0 too many messages in this session\r\n")

    server = serve(enough_after_one, playing())

    assert outcomes(send(server, 2)) == [ACCEPTED, ACCEPTED]


def test_421_on_every_connection_defers(serve: Callable[..., Server]) -> None:
    server = serve(playing(MAIL="421 4.7.0 [TSS04] deferred\r\n"))

    handovers = send(server, 2)

    assert outcomes(handovers) == [DEFERRED, DEFERRED]
    assert handovers[1].reply == SmtpReply(421, "4.7.0", "[TSS04] deferred")


def test_a_connection_lost_after_the_end_of_data_leaves_the_letter_in_doubt(
    serve: Callable[..., Server],
) -> None:
    server = serve(playing(end=""), playing())

    handovers = send(server, 2)

    assert outcomes(handovers) == [UNCERTAIN, ACCEPTED]
    assert "not confirmed" in handovers[0].problem
    assert handovers[0].reply is None


def test_no_verdict_in_time_leaves_the_letter_in_doubt(serve: Callable[..., Server]) -> None:
    def never_answers(conversation: Conversation) -> None:
        conversation.take(replies={".": "250-still thinking\r\n"})

    handovers = send(serve(never_answers), timeout_s=0.3)

    assert outcomes(handovers) == [UNCERTAIN]


@pytest.mark.parametrize("stage", ["EHLO", "RCPT", "DATA"])
def test_a_connection_lost_before_the_body_has_handed_nothing_over(
    serve: Callable[..., Server], stage: str
) -> None:
    [handover] = send(serve(playing(**{stage: ""})))

    assert handover.outcome is FAILED
    assert handover.problem != ""


def test_a_body_that_was_cut_off_has_not_been_handed_over(serve: Callable[..., Server]) -> None:
    def hangs_up_in_the_body(conversation: Conversation) -> None:
        conversation.say("220 x\r\n")
        for reply in (HELLO, "250 ok\r\n", "250 ok\r\n", "354 go\r\n"):
            conversation.hear()
            conversation.say(reply)
        conversation.hear()

    server = serve(hangs_up_in_the_body)
    big = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 2_000_000

    [handover] = transport(server.endpoint).send([letter(raw=big)])

    assert handover.outcome is FAILED
    assert "within the message" in handover.problem


def test_a_refused_connection_fails_every_letter() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    endpoint = Endpoint("127.0.0.1", port, Security.PLAIN)

    handovers = list(transport(endpoint).send([letter(1), letter(2)]))

    assert outcomes(handovers) == [FAILED, FAILED]
    assert f"cannot reach 127.0.0.1:{port}" in handovers[0].problem


@pytest.mark.parametrize("host", ["x" * 64 + ".example", ".example", "a..b"])
def test_a_host_name_that_is_none_fails_the_letter(host: str) -> None:
    """The DNS is written by others; the socket library raises UnicodeError at such names."""
    [handover] = transport(Endpoint(host, 25, Security.PLAIN)).send([letter()])

    assert handover.outcome is FAILED


def test_a_server_that_says_nothing_is_waited_for_once(serve: Callable[..., Server]) -> None:
    def mute(conversation: Conversation) -> None:
        conversation.hear()

    server = serve(mute)
    started = time.monotonic()

    handovers = send(server, 5, timeout_s=0.3)

    assert outcomes(handovers) == [FAILED] * 5
    assert "in time" in handovers[0].problem
    assert time.monotonic() - started < 2


def test_a_server_that_falls_silent_is_waited_for_once(serve: Callable[..., Server]) -> None:
    def falls_silent(conversation: Conversation) -> None:
        conversation.take(replies={"RCPT": "250-and then\r\n"})

    handovers = send(serve(falls_silent), 5, timeout_s=0.3)

    assert outcomes(handovers) == [FAILED] * 5
    assert "stopped answering" in handovers[4].problem


def test_a_server_that_drips_is_not_waited_for_longer_than_allowed(
    serve: Callable[..., Server],
) -> None:
    """Each packet is in time, the reply as a whole never is."""
    gone = threading.Event()

    def drips(conversation: Conversation) -> None:
        conversation.say("220 x\r\n")
        conversation.hear()
        while not gone.wait(0.05):
            conversation.say("250-more\r\n")

    started = time.monotonic()
    [handover] = send(serve(drips), timeout_s=0.4)
    gone.set()

    assert handover.outcome is FAILED
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "flood",
    ["250-x\r\n" * 100_000, "250 " + "x" * 1_000_000, "SSH-2.0-OpenSSH\r\n", "\0" * 100_000],
)
def test_what_is_not_smtp_ends_the_connection(serve: Callable[..., Server], flood: str) -> None:
    def floods(conversation: Conversation) -> None:
        conversation.say(flood)
        conversation.hear()

    [handover] = send(serve(floods))

    assert handover.outcome is FAILED


def test_a_server_that_knows_only_helo_is_greeted_so(serve: Callable[..., Server]) -> None:
    server = serve(playing(EHLO="502 5.5.1 what\r\n"))

    assert outcomes(send(server)) == [ACCEPTED]
    assert server.heard[0][1] == "helo monitor.example"


def test_a_message_beyond_the_limit_is_refused_before_it_travels(
    serve: Callable[..., Server],
) -> None:
    def limited(conversation: Conversation) -> None:
        conversation.take(replies={"MAIL": "552 5.3.4 Message size exceeds limit\r\n"})

    server = serve(limited)
    big = b"Subject: x\r\n\r\n" + b"x" * 70 * 700_000

    [handover] = transport(server.endpoint).send([letter(raw=big)])

    assert handover.outcome is REJECTED
    assert handover.reply == SmtpReply(552, "5.3.4", "Message size exceeds limit")
    assert f"SIZE={len(big)}".lower() in server.heard[0][1].lower()


@pytest.mark.parametrize(
    "recipient",
    ["a@b.example>\r\nRCPT TO:<c@d.example", "a b@c.example", "ä@b.example", "", "a,b@c.d"],
)
def test_an_address_that_cannot_be_sent_never_reaches_the_server(
    serve: Callable[..., Server], recipient: str
) -> None:
    server = serve(playing())
    bad = Letter("<9@a.example>", "bounce@a.example", recipient, b"Subject: x\r\n\r\n")

    handovers = list(transport(server.endpoint).send([bad, letter(2)]))

    assert outcomes(handovers) == [FAILED, ACCEPTED]
    assert sum("rcpt" in line.lower() for line in server.heard[0]) == 1


def test_a_bounce_is_sent_with_an_empty_envelope_sender(serve: Callable[..., Server]) -> None:
    server = serve(playing())
    bounce = Letter("<9@a.example>", "", "seed@b.example", b"Subject: x\r\n\r\n")

    assert outcomes(list(transport(server.endpoint).send([bounce]))) == [ACCEPTED]
    assert server.heard[0][1].lower().startswith("mail from:<>")


class Names:
    """A DNS of a few names."""

    def __init__(self, mx: dict[str, list[str]]) -> None:
        self._mx = mx

    def mx(self, domain: str) -> list[str]:
        if domain not in self._mx:
            raise AgainLaterError(f"no answer about {domain}")
        return self._mx[domain]


def test_direct_mail_goes_to_the_best_mx() -> None:
    route = DirectRoute(Names({"b.example": ["mx1.b.example", "mx2.b.example"]}), 2525)

    assert route("seed@B.example") == Endpoint("mx1.b.example", 2525, Security.STARTTLS)


def test_a_domain_without_mx_takes_mail_itself() -> None:
    assert DirectRoute(Names({"b.example": []}))("seed@b.example").host == "b.example"


@pytest.mark.parametrize("names", [{"b.example": ["."]}, {"b.example": [""]}, {}])
def test_a_domain_that_cannot_be_reached_is_an_error_for_later(names: dict[str, list[str]]) -> None:
    with pytest.raises(TransportBusyError):
        DirectRoute(Names(names))("seed@b.example")


def test_one_unreachable_domain_does_not_hold_up_the_others(serve: Callable[..., Server]) -> None:
    server = serve(playing())

    def route(recipient: str) -> Endpoint:
        if "seed2" in recipient:
            raise TransportBusyError("no answer from the DNS")
        return server.endpoint

    sender = SmtpTransport(route, hostname="monitor.example", timeout_s=WAIT_S)
    handovers = list(sender.send([letter(1), letter(2), letter(3)]))

    assert outcomes(handovers) == [ACCEPTED, FAILED, ACCEPTED]
    assert handovers[1].problem == "no answer from the DNS"


def test_one_dead_server_does_not_hold_up_the_others(serve: Callable[..., Server]) -> None:
    dead = serve(playing(greeting="421 4.3.2 closed\r\n"))
    alive = serve(playing())

    sender = SmtpTransport(
        lambda recipient: (dead if "seed2" in recipient else alive).endpoint,
        hostname="monitor.example",
        timeout_s=WAIT_S,
    )

    assert outcomes(list(sender.send([letter(1), letter(2), letter(3)]))) == [
        *[ACCEPTED, DEFERRED, ACCEPTED]
    ]


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (250, b"2.0.0 Ok", SmtpReply(250, "2.0.0", "Ok")),
        (550, b"5.7.1", SmtpReply(550, "5.7.1", "")),
        (550, b"5.7.1.9 odd", SmtpReply(550, "", "5.7.1.9 odd")),
        (
            421,
            b"4.7.28 Our system\n4.7.28 has detected",
            SmtpReply(421, "4.7.28", "Our system has detected"),
        ),
        (554, b"\x1b[31mred\x00\xff", SmtpReply(554, "", "[31mred")),
        (250, b"", SmtpReply(250, "", "")),
    ],
)
def test_a_reply_is_read(code: int, text: bytes, expected: SmtpReply) -> None:
    assert read_reply(code, text) == expected


def test_a_reply_is_kept_short() -> None:
    assert len(read_reply(550, b"x" * 10_000).text) == 1000
