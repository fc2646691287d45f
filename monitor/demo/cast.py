"""The demo's senders: what each of them mails, and through whom.

Six of the eleven link to the domain that the filter will take for phishing. They share
neither a mail service nor a DKIM domain that the five others do not use as well, so that
only the link domain tells the hit from the spared.
"""

from dataclasses import dataclass

BLAMED_LINK = "lnk.example.net"
IN_TROUBLE = "northwind.example.org"  # has a reputation problem of its own


@dataclass(frozen=True, slots=True)
class Player:
    """One sender of the demo."""

    name: str
    domain: str
    esp: str  # "" for an own mail server
    links_to: str
    template: str  # of templates/seed/

    @property
    def mail_from(self) -> str:
        return f"bounces@{self.domain}"

    @property
    def route(self) -> str:
        """Where its alerts go; a mailbox of the lab."""
        return f"{self.domain.partition('.')[0]}@inbox.lab.example"


CAST: tuple[Player, ...] = (
    Player("Harbor Books", "harborbooks.example.org", "mailwing", BLAMED_LINK, "newsletter"),
    Player("Juniper Travel", "juniper.example.org", "mailwing", BLAMED_LINK, "newsletter"),
    Player("Lumen Energy", "lumen.example.org", "postgale", BLAMED_LINK, "receipt"),
    Player("Atlas Outdoor", "atlas.example.org", "postgale", BLAMED_LINK, "newsletter"),
    Player("Fern and Field", "fern.example.org", "", BLAMED_LINK, "newsletter"),
    Player("Quarry Tools", "quarry.example.org", "", BLAMED_LINK, "receipt"),
    Player("Northwind", IN_TROUBLE, "", IN_TROUBLE, "newsletter"),
    Player("Cedar Clinic", "cedar.example.org", "mailwing", "cedar.example.org", "receipt"),
    Player(
        "Pixel Print", "pixelprint.example.org", "mailwing", "pixelprint.example.org", "receipt"
    ),
    Player("Tern Ferries", "tern.example.org", "postgale", "tern.example.org", "newsletter"),
    Player("Willow Media", "willow.example.org", "", "willow.example.org", "newsletter"),
)

HIT = tuple(player for player in CAST if player.links_to == BLAMED_LINK)
