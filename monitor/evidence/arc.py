"""ARC (RFC 8617): the sets that hosts on the way added, and what each claims.

A set is one ARC-Authentication-Results, ARC-Message-Signature and ARC-Seal of the same
instance. We do not verify signatures (that needs keys from the DNS, and the receiver has
done it): what a set says is its writer's claim. Believed is only what the receiver itself
says of the chain, which `authres.believed` reads as the result "arc".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from monitor.evidence import authres
from monitor.evidence.fields import HeaderField, segments

SEAL = "arc-seal"
SIGNATURE = "arc-message-signature"
RESULTS = authres.ARC_NAME
NAMES = frozenset({SEAL, SIGNATURE, RESULTS})
MAX_INSTANCE = 50  # RFC 8617 section 4.2.1
MAX_SHOWN = 10

_TAG = re.compile(r"\s{0,20}([A-Za-z]{1,5})\s{0,5}=\s{0,5}(\S{0,255})")
_NUMBER = re.compile(r"\d{1,2}")


@dataclass(frozen=True, slots=True)
class ArcSet:
    """One instance; empty strings stand for what it does not say."""

    instance: int
    domain: str  # that sealed it
    selector: str
    cv: str  # none, pass or fail: how the sealer found the chain before it
    authserv_id: str
    claims: Mapping[str, str]  # results that its writer found, by method
    is_complete: bool


def read(fields: Sequence[HeaderField]) -> list[ArcSet]:
    """Return the sets in the order in which they were added. Never raises.

    Of several fields of one kind and instance the topmost counts.
    """
    found: dict[int, dict[str, str]] = {}
    for field in fields:
        if field.key not in NAMES:
            continue
        number = _instance(field.value)
        if number:
            found.setdefault(number, {}).setdefault(field.key, field.value)
    return [_set(number, found[number]) for number in sorted(found)]


def told(sets: Sequence[ArcSet]) -> dict[str, object] | None:
    """Summarise the chain for JSON; None where there is none.

    `cv` is the claim of the last sealer; `is_whole` is false where an instance or one of
    its three fields is missing, so that no receiver can accept the chain.
    """
    if not sets:
        return None
    numbers = [one.instance for one in sets]
    whole = numbers == list(range(1, len(sets) + 1)) and all(one.is_complete for one in sets)
    return {
        "instances": len(sets),
        "is_whole": whole,
        "cv": sets[-1].cv or None,
        "sealers": [one.domain for one in sets if one.domain][-MAX_SHOWN:],
        "sets": [asdict(one) | {"claims": dict(one.claims)} for one in sets[-MAX_SHOWN:]],
    }


def tags(value: str) -> dict[str, str]:
    """Read a list of `name=value;`, names in lower case; the first of a name counts."""
    found: dict[str, str] = {}
    for part in segments(value)[:50]:
        match = _TAG.match(part)
        if match is not None:
            found.setdefault(match[1].lower(), match[2])
    return found


def _instance(value: str) -> int:
    """The instance number, or 0 where it is none that RFC 8617 allows."""
    match = _NUMBER.fullmatch(tags(value[:200]).get("i", ""))
    number = int(match[0]) if match else 0
    return number if number <= MAX_INSTANCE else 0


def _set(number: int, values: Mapping[str, str]) -> ArcSet:
    seal = tags(values.get(SEAL, ""))
    report = authres.parse(values.get(RESULTS, ""))
    claims = {key: value for key, value in asdict(report.results).items() if value is not None}
    return ArcSet(
        instance=number,
        domain=seal.get("d", "").lower(),
        selector=seal.get("s", ""),
        cv=seal.get("cv", "").lower()[:10],
        authserv_id=report.authserv_id,
        claims=claims,
        is_complete=len(values) == len(NAMES),
    )
