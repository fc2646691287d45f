"""Try seeds: sign in, look at the folders, send one message to each, and find it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, repeat, zip_longest

from monitor.cli.seed_troubles import (
    Problem,
    not_found,
    problem_of,
    problem_of_handover,
    problem_of_sending,
)
from monitor.core.campaigns import Campaign, Found, Handover, Letter, Outcome, Role, Wanted
from monitor.core.errors import SeedwatchError, TransportBusyError
from monitor.core.folders import FolderSight, HasFolders
from monitor.core.ports import PartlyReadError, Transport
from monitor.core.seeds import Account, ProviderFacts
from monitor.evidence import stamp
from monitor.evidence.compose import compose
from monitor.senders.routes import smarthost
from monitor.senders.smtp import SmtpTransport
from monitor.store import seeds as rows
from monitor.store.tables import SeedRow
from monitor.wiring import House
from monitor.wiring.replies import load_replies

AT_ONCE = 16  # mailboxes that are tried in parallel
AT_ONE_PROVIDER = 4  # of these, unless its facts allow fewer
AT_OUR_SERVER = 4  # messages that are handed over to [sending] in parallel
PAUSES_S = (1, 2, 3, 5, 5, 10, 10)  # between looks for the message; then the last one again
ASKED_READERS = {"imap", "imap+graph", "drop"}  # they can say which folder is which

SUBJECT = "Seedwatch checks this mailbox"
TEXT = """\
This message was sent by Seedwatch, which watches how mail arrives in this test mailbox.

It was sent to see whether it can be found again. Nobody needs to do anything with it, and
Seedwatch leaves it where it is.
"""


@dataclass(slots=True)
class Mail:
    """The message that a seed was sent, and where it turned up."""

    via: str  # "own": the seed's own provider took it; "sending": the server of [sending]
    wanted: Wanted
    outcome: Outcome | None = None
    found_after_s: float | None = None
    found: Found | None = None
    last_error: SeedwatchError | None = None


@dataclass(slots=True)
class Trial:
    """What trying one seed mailbox showed so far."""

    seed: SeedRow
    facts: ProviderFacts
    account: Account | None = None
    latency_s: float = 0.0
    error: SeedwatchError | None = None  # of signing in and looking
    folders: list[FolderSight] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    mail: Mail | None = None
    problem: Problem | None = None

    @property
    def is_ok(self) -> bool:
        return self.problem is None

    @property
    def says(self) -> str:
        if self.problem is not None:
            return f"{self.problem.says} {self.problem.remedy}"
        if self.mail is None or self.mail.found is None:
            return "can be read"
        found = self.mail.found
        after = f"{self.mail.found_after_s:.1f}"
        return f"found after {after} s in {found.folder} ({found.role}), by {found.match}"


Tell = Callable[[Trial], None]


class Trials:
    """Tries many seeds side by side, a few of each provider at a time."""

    def __init__(self, house: House, seeds: Sequence[SeedRow], tell: Tell) -> None:
        self._house = house
        self._tell = tell
        self.all = [Trial(seed, _facts(house, seed)) for seed in _mixed(seeds)]
        self._turns = {
            trial.facts.id: threading.BoundedSemaphore(_at_once(trial.facts)) for trial in self.all
        }
        self._replies = load_replies(house.settings.data.seedlists_dir)
        self._our_server = threading.BoundedSemaphore(AT_OUR_SERVER)

    def sign_in(self) -> None:
        """Connect, sign in, and ask which folder is for what."""
        for trial in self._each(self.all, self._sign_in):
            self._tell(trial)

    def send_and_find(self, wait: timedelta) -> None:
        """Send a message to every seed that could be read, and look for it for so long."""
        well = [trial for trial in self.all if trial.is_ok]
        for trial in self._each(well, self._send):
            if not trial.is_ok:
                self._tell(trial)
        ends = self._house.clock.now() + wait
        for pause_s in chain([0], PAUSES_S, repeat(PAUSES_S[-1])):
            missed = [trial for trial in well if _is_under_way(trial)]
            pause = timedelta(seconds=pause_s)
            if not missed or self._house.clock.now() + pause > ends:
                break
            self._house.clock.sleep(pause)
            for trial in self._each(missed, self._find):
                if not _is_under_way(trial):
                    self._tell(trial)
        for trial in filter(_is_under_way, well):
            _give_up(trial, wait)
            self._tell(trial)

    def _each(self, trials: Sequence[Trial], work: Callable[[Trial], None]) -> Iterator[Trial]:
        """Do *work* for all of *trials*, and yield each as soon as it is done."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            done = {pool.submit(self._in_turn, trial, work): trial for trial in trials}
            for future in as_completed(done):
                future.result()
                yield done[future]

    def _in_turn(self, trial: Trial, work: Callable[[Trial], None]) -> None:
        with self._turns[trial.facts.id]:
            work(trial)

    def _sign_in(self, trial: Trial) -> None:
        began = self._house.clock.now()
        try:
            known = self._house.facts.get(trial.seed.provider)
            trial.account = rows.account(trial.seed, known, self._house.vault)
            mailbox = self._house.mailboxes.get(trial.seed)
            mailbox.look([])
            trial.latency_s = (self._house.clock.now() - began).total_seconds()
            if isinstance(mailbox, HasFolders):
                trial.folders = mailbox.layout()
        except SeedwatchError as error:
            trial.error = error
            trial.problem = problem_of(error, trial.account, trial.facts)
            return
        trial.warnings = _warnings(trial)

    def _send(self, trial: Trial) -> None:
        account = _account(trial)
        via = "own" if _own_server(trial) else "sending"
        try:
            letter, token = self._letter(account, via)
            wanted = Wanted(letter.message_id, token, self._house.clock.now())
            trial.mail = Mail(via, wanted)
            done = next(iter(self._transport(trial, via).send([letter])), None)
            if done is None:
                raise TransportBusyError("the mail server said nothing.")
        except SeedwatchError as error:
            trial.problem = problem_of_sending(error, account)
            return
        trial.mail.outcome = done.outcome
        trial.problem = problem_of_handover(done, account, self._replies)

    def _letter(self, account: Account, via: str) -> tuple[Letter, str]:
        """Write the message: harmless, and it says what it is."""
        sender = account.address if via == "own" else self._house.settings.alerts.from_address
        token = stamp.new_token(self._house.rng)
        campaign = Campaign("check", sender, "Seedwatch", SUBJECT, TEXT)
        letter = compose(
            campaign,
            recipient=account.address,
            message_id=stamp.message_id(token, 1, sender.rpartition("@")[2]),
            token=token,
            mail_from=sender,
            date=self._house.clock.now(),
        )
        return letter, token

    def _transport(self, trial: Trial, via: str) -> Transport:
        server, account = trial.facts.smtp, _account(trial)
        if via != "own" or server is None:
            return _Guarded(self._house.edges.transport, self._our_server)
        sending = self._house.settings.sending
        return SmtpTransport(
            smarthost(server),
            hostname=sending.hostname,
            timeout_s=sending.timeout_s,
            username=account.username,
            password=account.password,
            ca_file=sending.ca_file,
        )

    def _find(self, trial: Trial) -> None:
        mail = trial.mail
        if mail is None:
            return
        try:
            found = self._house.mailboxes.get(trial.seed).look([mail.wanted])
            mail.last_error = None
        except PartlyReadError as error:
            found, mail.last_error = list(error.partial), error
        except SeedwatchError as error:
            found, mail.last_error = [], error
        if found:
            mail.found = found[0]
            waited = self._house.clock.now() - mail.wanted.sent_at
            mail.found_after_s = waited.total_seconds()


class _Guarded:
    """A transport that few threads use at a time."""

    def __init__(self, transport: Transport, turns: threading.BoundedSemaphore) -> None:
        self._transport = transport
        self._turns = turns

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        with self._turns:
            return iter(list(self._transport.send(letters)))


def _is_under_way(trial: Trial) -> bool:
    """Has the message been sent, and not been found yet?"""
    return trial.is_ok and trial.mail is not None and trial.mail.found is None


def _give_up(trial: Trial, wait: timedelta) -> None:
    last = trial.mail.last_error if trial.mail else None
    trial.problem = not_found(_account(trial), wait.total_seconds(), last)


def _account(trial: Trial) -> Account:
    if trial.account is None:
        raise ValueError(f"{trial.seed.address} has not been signed in to")
    return trial.account


def _own_server(trial: Trial) -> bool:
    """Can the seed hand the message over as its own users do?

    Not where its list names a server of its own, nor by a token, which is for reading.
    """
    account = _account(trial)
    uses_password = bool(account.password) and not account.oauth and trial.seed.reader == "imap"
    return trial.facts.smtp is not None and uses_password and not trial.seed.host


def _warnings(trial: Trial) -> list[str]:
    """What may make copies be taken for something that they are not."""
    if trial.seed.reader not in ASKED_READERS or not trial.folders:
        return []
    roles = {sight.role for sight in trial.folders}
    if Role.SPAM in roles:
        return []
    mend = f"Name it in [folders] of seedlists/providers/{trial.facts.id}.toml."
    return [f"No folder for spam could be told: mail in it would be taken for filed mail. {mend}"]


def _facts(house: House, seed: SeedRow) -> ProviderFacts:
    known = house.facts.get(seed.provider)
    return known or ProviderFacts(seed.provider, seed.provider, (), None, {})


def _at_once(facts: ProviderFacts) -> int:
    return min(AT_ONE_PROVIDER, facts.connections) if facts.connections else AT_ONE_PROVIDER


def _mixed(seeds: Sequence[SeedRow]) -> list[SeedRow]:
    """Take the providers in turn, so that one that is slow does not hold up the others."""
    of_provider: dict[str, list[SeedRow]] = {}
    for seed in seeds:
        of_provider.setdefault(seed.provider, []).append(seed)
    turns = zip_longest(*of_provider.values())
    return [seed for turn in turns for seed in turn if seed is not None]
