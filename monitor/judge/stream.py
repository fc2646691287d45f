"""A stream of placements as lines of JSON, turned into the judge's observations and back.

The format is that of `seedwatch replay` (docs/replay.md): `world`, `campaign` and `check`
records in, `incident` records out; times are hours as numbers, or RFC 3339 texts.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.core.incidents import IncidentEvent, State
from monitor.core.observations import Observation
from monitor.core.placements import Placement
from monitor.judge import readings
from monitor.judge.fields import RecordError as RecordError  # noqa: PLC0414 - for readers of streams
from monitor.judge.fields import group_in, list_in, look_in, shown, text_in
from monitor.judge.judge import Judge
from monitor.judge.written import written

ZERO = datetime(2001, 1, 1, tzinfo=UTC)  # hour 0 of a stream in hours, a Monday as the stream's is
LATEST_H = 1e6  # hours from then; what is later is no time
KEPT_H = 168.0  # a campaign is forgotten so long after it was sent
MOST_SEEDS = 10_000
MOST_FEATURES = 1000  # of a campaign
MOST_CAMPAIGNS = 50_000  # of which no check tells that a week has passed
_HOUR = timedelta(hours=1)
_ORDINARY = {p.value: p for p in Placement if p is not Placement.PENDING}
_NOT_THERE = {Placement.MISSING, Placement.REJECTED, Placement.UNKNOWN, None}
_NOT_BEGUN = {State.RECOVERING, State.CLOSED}


@dataclass(frozen=True, slots=True)
class _Copies:
    """Where the copies of a campaign at one provider are, and their seeds' regions."""

    placements: Mapping[str, Placement] = field(default_factory=dict)
    regions: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Campaign:
    sent_h: float
    sender: str
    features: frozenset[str]
    copies: dict[str, _Copies] = field(default_factory=dict)  # by provider
    gauges: dict[str, readings.Readings] = field(default_factory=dict)  # by provider
    looks: dict[str, tuple[int, float]] = field(default_factory=dict)  # the last, and its hour


@dataclass(slots=True)
class Stream:
    """Turns records into observations. Its memory is bounded by a week of campaigns."""

    counts_from_h: float = -LATEST_H  # incidents before are history only
    is_in_hours: bool = True
    _seeds: dict[str, list[str]] = field(default_factory=dict)  # by provider, in the world's order
    _groups: dict[str, str] = field(default_factory=dict)
    _campaigns: OrderedDict[str, _Campaign] = field(default_factory=OrderedDict)
    _now_h: float = -LATEST_H

    def take(self, record: Mapping[str, Any]) -> Observation | None:
        """Return the observation that *record* makes; None for all else, and for what was told.

        Raises:
            RecordError: the record cannot be understood. Nothing has been changed.
        """
        kind = record.get("type")
        if kind == "world":
            self._world(record)
        elif kind == "campaign":
            self._campaign(record)
        elif kind == "check":
            return self._check(record)
        else:
            raise RecordError(f"type: {shown(kind)} is not world, campaign or check")
        return None

    def _world(self, record: Mapping[str, Any]) -> None:
        seeds: dict[str, list[str]] = {
            text_in(p, "providers"): [] for p in list_in(record, "providers")
        }
        groups = {}
        for box in list_in(record, "mailboxes"):
            if not isinstance(box, dict) or text_in(box.get("p"), "p") not in seeds:
                raise RecordError("mailboxes: one of them belongs to no provider of this world")
            name = text_in(box.get("m"), "m")
            seeds[box["p"]].append(name)
            groups[name] = group_in(box.get("group"))
        start = record.get("evaluate_from")
        self.counts_from_h = -LATEST_H if start is None else self._hours(start, "evaluate_from")
        self._seeds, self._groups = seeds, groups

    def _campaign(self, record: Mapping[str, Any]) -> None:
        name = text_in(record.get("c"), "c")
        features = frozenset(text_in(f, "feat") for f in list_in(record, "feat"))
        if len(features) > MOST_FEATURES:
            raise RecordError(f"feat: more than {MOST_FEATURES}")
        sent_h = self._hours(record.get("t"), "t")
        sender = text_in(record.get("s"), "s")
        known = self._campaigns.get(name)
        if known is None:
            self._campaigns[name] = _Campaign(sent_h, sender, features)
            if len(self._campaigns) > MOST_CAMPAIGNS:
                self._campaigns.popitem(last=False)
        elif (known.sent_h, known.sender, known.features) != (sent_h, sender, features):
            raise RecordError(f"c: {shown(name)} was told before, and otherwise")

    def _check(self, record: Mapping[str, Any]) -> Observation | None:
        campaign = self._campaigns.get(text_in(record.get("c"), "c"))
        if campaign is None:
            raise RecordError(f"c: {shown(record['c'])} is a campaign that no line before has told")
        at_h = self._hours(record.get("t"), "t")
        if at_h < self._now_h:
            raise RecordError(f"t: {record['t']} comes after a later check")
        provider, look = text_in(record.get("p"), "p"), look_in(record)
        if look and "seeds" not in record and provider not in campaign.copies:
            raise RecordError(f"chk: {look} comes before a check that tells the seeds")

        def name_of(number: object) -> str:
            return self._seed(provider, number)

        before = campaign.copies.get(provider) or _Copies()
        copies = self._changed(before, self._seen(record, provider, before.placements, look))
        gauges = readings.read(
            record, campaign.gauges.get(provider, {}), copies.placements, name_of
        )
        if _is_again(campaign.looks.get(provider), look, at_h):
            return None
        campaign.copies[provider], campaign.looks[provider] = copies, (look, at_h)
        if gauges:
            campaign.gauges[provider] = gauges
        self._now_h = at_h
        self._forget()
        return Observation(
            id=f"{record['c']}:{provider.replace(':', '%3A')}:{look}",  # no two are alike
            at=ZERO + at_h * _HOUR,
            sent_at=ZERO + campaign.sent_h * _HOUR,
            test=record["c"],
            sender=campaign.sender,
            provider=provider,
            look=look,
            features=campaign.features,
            placements=copies.placements,
            regions=copies.regions,
            gauges=gauges,
        )

    def _changed(self, before: _Copies, found: Mapping[str, Placement]) -> _Copies:
        """What becomes of *before* by what was *found*. Most looks find nothing new."""
        if not found:
            return before
        placements = {**before.placements, **found}
        if len(placements) == len(before.placements):
            return _Copies(placements, before.regions)
        return _Copies(placements, {s: g for s in placements if (g := self._groups.get(s))})

    def _seen(
        self,
        record: Mapping[str, Any],
        provider: str,
        before: Mapping[str, Placement],
        look: int,
    ) -> dict[str, Placement]:
        is_whole = look == 0 or "seeds" in record
        if record.get("chg" if is_whole else "bad"):
            raise RecordError("bad goes with seeds, chg with a later check without them")
        if is_whole:
            seeds = list_in(record, "seeds")
            if len(seeds) > MOST_SEEDS:
                raise RecordError(f"seeds: more than {MOST_SEEDS}")
            found = dict.fromkeys((self._seed(provider, s) for s in seeds), Placement.INBOX)
        else:
            found = {}
        moved = record.get("bad" if is_whole else "chg") or {}
        if not isinstance(moved, dict):
            raise RecordError("bad, chg: is not an object of seed and placement")
        for number, word in moved.items():
            seed = self._seed(provider, number)
            if seed not in found and seed not in before:
                raise RecordError(f"bad, chg: {shown(number)} is no seed of this check")
            found[seed] = _placement(word, was_there=before.get(seed) not in _NOT_THERE)
        return found

    def _seed(self, provider: str, number: object) -> str:
        """The name of a seed, which a stream tells by its number at the provider, or by name."""
        known = self._seeds.get(provider, [])
        if type(number) is int and 0 <= number < len(known):
            return known[number]
        if isinstance(number, bool) or (isinstance(number, int) and number < 0):
            raise RecordError("seeds: is neither a number nor a name")
        word = str(number) if isinstance(number, int) else text_in(number, "seeds")
        if not (word.isascii() and word.isdigit()):
            return word
        at = int(word) if len(word) < 9 else len(known)
        if at < len(known):
            return known[at]
        return word if word in known else f"{provider}-{word[:300]:0>2}"

    def _hours(self, value: object, name: str) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not abs(value) < LATEST_H:
                raise RecordError(f"{name}: {str(value)[:40]} is no time")
            self.is_in_hours = True
            return float(value)
        try:
            moment = datetime.fromisoformat(value if isinstance(value, str) else "")
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            told = (moment - ZERO) / _HOUR
            if not abs(told) < LATEST_H:
                raise ValueError
        except (ValueError, OverflowError):
            raise RecordError(f"{name}: {shown(value)} is no time") from None
        self.is_in_hours = False
        return told

    def _forget(self) -> None:
        while self._campaigns:
            name, oldest = next(iter(self._campaigns.items()))
            if self._now_h - oldest.sent_h <= KEPT_H:
                return
            del self._campaigns[name]

    @property
    def counts(self) -> bool:
        """Are incidents of now more than history?"""
        return self._now_h >= self.counts_from_h

    @property
    def is_near(self) -> bool:
        """Could an incident of now still matter once it counts? Before, history only teaches."""
        return self._now_h >= self.counts_from_h - KEPT_H

    def time(self, moment: datetime) -> float | str:
        """Write *moment* in the kind in which the stream tells time."""
        if self.is_in_hours:
            return round((moment - ZERO) / _HOUR, 4)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _is_again(last: tuple[int, float] | None, look: int, at_h: float) -> bool:
    """Has the very check been told? What should have come before the *last* is a RecordError."""
    if last is None or look > last[0]:
        return False
    if (look, at_h) != last:
        raise RecordError(f"chk: {look} comes after check {last[0]} of this campaign there")
    return True


def _placement(word: object, *, was_there: bool) -> Placement:
    found = _ORDINARY.get(word) if isinstance(word, str) else None
    if found is None:
        raise RecordError(f"bad, chg: {shown(word)} is no placement")
    return Placement.REMOVED if was_there and found is Placement.MISSING else found


@dataclass(slots=True)
class Replay:
    """Runs a stream through a judge of its own."""

    judge: Judge
    stream: Stream = field(default_factory=Stream)
    _history: set[str] = field(default_factory=set)  # incidents confirmed before counting began
    _begun: set[str] = field(default_factory=set)  # open incidents of which an event was told

    def take(self, record: Mapping[str, Any], *, explain: bool = False) -> list[dict[str, Any]]:
        """Return the incident records that follow from *record*, in order.

        Raises:
            RecordError: it cannot be understood; nothing has been changed.
        """
        observation = self.stream.take(record)
        if observation is None:
            return []
        events = self.judge.observe(observation, asks=self.stream.is_near)
        told = [event for event in events if self._is_told(event)]
        time = self.stream.time
        return [written(event, record["t"], time, explain=explain) for event in told]

    def _is_told(self, event: IncidentEvent) -> bool:
        """An incident that history had confirmed already is no alarm of the time that counts.

        A suspicion of history that only ends in it is none either: no story begins with its end.
        """
        name = event.incident
        if not self.stream.counts:
            if event.state is State.CONFIRMED:
                self._history.add(name)
            return False
        if name in self._history or (event.state in _NOT_BEGUN and name not in self._begun):
            return False
        if event.state is State.CLOSED:
            self._begun.remove(name)
        else:
            self._begun.add(name)
        return True
