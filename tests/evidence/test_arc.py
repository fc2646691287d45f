"""ARC sets: what each claims, and that only the receiver's word is believed."""

from typing import Any

from monitor.evidence import arc, fields
from monitor.evidence.facts import facts

CHAIN = """\
Received: from lists.example.net (lists.example.net [192.0.2.7]) by mx.google.com with ESMTPS
 id 1; Mon, 2 Mar 2026 08:00:05 +0000
Received-SPF: pass (google.com: domain of x designates 192.0.2.7 as permitted sender)
Authentication-Results: mx.google.com; arc=pass (i=2 spf=pass dkim=pass);
 spf=pass smtp.mailfrom=lists.example.net; dkim=fail header.i=@shop.example.com
ARC-Seal: i=2; a=rsa-sha256; t=1772438400; cv=pass; d=Lists.example.net; s=arc2; b=abc
ARC-Message-Signature: i=2; a=rsa-sha256; c=relaxed/relaxed; d=lists.example.net; s=arc2; b=x
ARC-Authentication-Results: i=2; lists.example.net; arc=pass; dkim=pass; dmarc=pass
ARC-Seal: i=1; a=rsa-sha256; cv=none; d=forwarder.example; s=a; b=abc
ARC-Message-Signature: i=1; a=rsa-sha256; d=forwarder.example; s=a; b=x
ARC-Authentication-Results: i=1; forwarder.example; spf=pass; dkim=pass; dmarc=pass
"""


def chain(text: str) -> dict[str, Any]:
    told = facts(text.encode(), "")["arc"]
    assert isinstance(told, dict)
    return told


def test_the_sets_are_told_in_the_order_in_which_they_were_added() -> None:
    told = chain(CHAIN)

    assert (told["instances"], told["is_whole"], told["cv"]) == (2, True, "pass")
    assert told["sealers"] == ["forwarder.example", "lists.example.net"]
    first, second = told["sets"]
    assert (first["instance"], first["cv"], first["authserv_id"]) == (1, "none", first["domain"])
    assert second["claims"] == {"arc": "pass", "dkim": "pass", "dmarc": "pass"}
    assert second["selector"] == "arc2"


def test_a_chain_proves_nothing_by_itself() -> None:
    """The sets claim that DMARC passed; the receiver has not said so."""
    found = facts(CHAIN.encode(), "")["authentication"]

    assert (found["arc"], found["dkim"], found["dmarc"]) == ("pass", "fail", None)


def test_without_the_receivers_word_a_seal_is_only_a_claim() -> None:
    text = CHAIN.replace("arc=pass (i=2 spf=pass dkim=pass);", "")

    assert facts(text.encode(), "")["authentication"]["arc"] is None
    assert chain(text)["cv"] == "pass"


def test_a_chain_with_a_gap_is_not_whole() -> None:
    assert chain(CHAIN.replace("i=1", "i=3"))["is_whole"] is False
    assert chain(CHAIN.replace("ARC-Seal: i=1", "X-Seal: i=1"))["is_whole"] is False


def test_a_message_without_arc_has_none() -> None:
    assert facts(b"Subject: x\r\n", "")["arc"] is None


def test_instances_that_the_rfc_does_not_know_are_left_out() -> None:
    for value in ("0", "51", "999999999", "-1", "x", "", "1x", "²"):
        block = fields.parse(f"ARC-Seal: i={value}; cv=pass; d=a.example\r\n".encode())
        assert arc.read(block) == []


def test_of_two_fields_of_one_instance_the_topmost_counts() -> None:
    text = "ARC-Seal: i=2; cv=fail; d=late.example\r\n" + CHAIN

    assert chain(text)["cv"] == "fail"
