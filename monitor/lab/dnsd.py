"""The lab's DNS over UDP: mail servers and sender policies of the lab's domains."""

import asyncio
from collections.abc import Mapping

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from monitor.lab.connections import Connections
from monitor.lab.providers import Profile

TTL_S = 5
MAX_ANSWER = 1232  # what fits a datagram everywhere
Zone = dict[tuple[str, str], list[str]]  # (absolute lower-case name, type) -> records


def zone_of(domains: Mapping[str, Profile]) -> Zone:
    """Return the records of hosted domains: MX as the provider has it, SPF, DMARC."""
    zone: Zone = {}
    for domain, profile in domains.items():
        zone[f"{domain}.", "MX"] = [f"10 {profile.mx}."]
        zone[f"{domain}.", "TXT"] = ['"v=spf1 ip4:127.0.0.1 -all"']
        zone[f"_dmarc.{domain}.", "TXT"] = ['"v=DMARC1; p=none"']
        zone[f"{profile.mx}.", "A"] = ["127.0.0.1"]
    return zone


def reply_to(query: bytes, zone: Zone) -> bytes | None:
    """Answer one datagram; None if it is no question that we can read."""
    try:
        message = dns.message.from_wire(query)
        if not message.question or message.flags & dns.flags.QR:
            return None
        question = message.question[0]
        reply = dns.message.make_response(message)
        reply.flags |= dns.flags.AA
        name = question.name.to_text().lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        records = zone.get((name, kind))
        if records:
            reply.answer.append(dns.rrset.from_text(question.name, TTL_S, "IN", kind, *records))
        elif name not in {owner for owner, _ in list(zone)}:  # may grow meanwhile
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire(max_size=MAX_ANSWER, prefer_truncation=True)
    except dns.exception.DNSException:
        return None


class Answerer(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self.transport: asyncio.DatagramTransport | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = reply_to(data, self._zone)
        if reply is not None and self.transport is not None:
            self.transport.sendto(reply, addr)


async def serve_dns(zone: Zone, connections: Connections, host: str) -> tuple[str, int]:
    """Listen on a port that the kernel picks; return where. *zone* may change later."""
    loop = asyncio.get_running_loop()
    transport, answerer = await loop.create_datagram_endpoint(
        lambda: Answerer(zone), local_addr=(host, 0)
    )
    answerer.transport = transport
    connections.add(transport)
    name = transport.get_extra_info("sockname")
    return str(name[0]), int(name[1])
