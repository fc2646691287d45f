"""The lab's DNS."""

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.dnsd import reply_to, zone_of
from monitor.lab.lab import Lab
from monitor.lab.providers import GMAIL

ZONE = zone_of({"gmail.lab.example": GMAIL})


@pytest.fixture
def resolver(lab: Lab) -> dns.resolver.Resolver:
    asking = dns.resolver.Resolver(configure=False)
    asking.nameservers = [lab.dns[0]]
    asking.port = lab.dns[1]
    asking.lifetime = 5
    return asking


def test_each_domain_has_the_mail_server_of_its_provider(
    lab: Lab, resolver: dns.resolver.Resolver
) -> None:
    lab.add_domain("acme.example", "microsoft365")
    answers = {
        domain: [record.to_text() for record in resolver.resolve(domain, "MX")]
        for domain in ("gmail.lab.example", "acme.example", "inbox.lab.example")
    }

    assert answers == {
        "gmail.lab.example": ["10 gmail-smtp-in.l.google.com."],
        "acme.example": ["10 m365-lab-example.mail.protection.outlook.com."],
        "inbox.lab.example": ["10 mx.corporate.lab.example."],
    }


def test_policies_are_text_records(lab: Lab, resolver: dns.resolver.Resolver) -> None:
    lab.add_record("brand.example.com", "TXT", '"v=spf1 -all"', '"other"')

    assert (
        resolver.resolve("gmail.lab.example", "TXT")[0].to_text() == '"v=spf1 ip4:127.0.0.1 -all"'
    )
    assert len(resolver.resolve("Brand.Example.com", "TXT")) == 2
    assert resolver.resolve("_dmarc.gmx.lab.example", "TXT")[0].to_text() == '"v=DMARC1; p=none"'


def test_an_unknown_name_does_not_exist_and_a_known_one_may_lack_a_type(
    resolver: dns.resolver.Resolver,
) -> None:
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver.resolve("nowhere.example", "MX")
    with pytest.raises(dns.resolver.NoAnswer):
        resolver.resolve("gmail.lab.example", "AAAA")


@given(st.binary(max_size=100))
def test_datagrams_that_are_no_question_are_left_unanswered(data: bytes) -> None:
    reply = reply_to(data, ZONE)

    assert reply is None or dns.message.from_wire(reply)


def test_an_answer_is_not_a_question() -> None:
    """Two servers that answer each other's answers would never stop."""
    query = dns.message.make_query("gmail.lab.example", "MX").to_wire()
    reply = reply_to(query, ZONE)
    assert reply is not None

    assert reply_to(reply, ZONE) is None


def test_more_than_a_datagram_holds_is_marked_as_cut() -> None:
    zone = {("big.example.", "TXT"): [f'"{"x" * 200}{n}"' for n in range(20)]}
    query = dns.message.make_query("big.example", "TXT").to_wire()

    reply = reply_to(query, zone)

    assert reply is not None
    assert len(reply) <= 1232
    assert dns.message.from_wire(reply).flags & dns.flags.TC
