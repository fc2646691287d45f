"""The eight providers that the lab imitates: their folders, names and IMAP manners.

Folder names, SPECIAL-USE attributes and capabilities are those that public sources
report of them. A profile announces only what our IMAP server serves.
"""

from dataclasses import dataclass

FolderSpec = tuple[str, tuple[str, ...]]

BASIC = "IMAP4rev1 SASL-IR LITERAL+ ID IDLE NAMESPACE UIDPLUS UNSELECT CHILDREN"
BEFORE_LOGIN = "IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN"


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of mailbox provider."""

    id: str
    domain: str
    mx: str  # what the lab's DNS answers; matches the provider facts of seedlists/
    host: str  # the receiving host, as its own Received header names it
    folders: tuple[FolderSpec, ...]
    spam: str
    capabilities: str  # after login
    quarantine: str = ""  # folder; "" if people cannot see it by IMAP
    has_tenant_api: bool = False  # quarantine and log are reached by Graph
    greeting: str = "IMAP4 service ready"
    before_login: str = BEFORE_LOGIN

    @property
    def removed_to(self) -> str:
        """Folder that takes what is removed after delivery; "" where it leaves IMAP's sight."""
        return self.quarantine or ("" if self.has_tenant_api else self.spam)

    def offers(self, capability: str) -> bool:
        return capability in self.capabilities.split()


GOOGLE_FOLDERS: tuple[FolderSpec, ...] = (
    ("INBOX", ()),
    ("[Gmail]", ("\\Noselect",)),
    ("[Gmail]/All Mail", ("\\All",)),
    ("[Gmail]/Drafts", ("\\Drafts",)),
    ("[Gmail]/Important", ("\\Important",)),
    ("[Gmail]/Sent Mail", ("\\Sent",)),
    ("[Gmail]/Spam", ("\\Junk",)),
    ("[Gmail]/Starred", ("\\Flagged",)),
    ("[Gmail]/Trash", ("\\Trash",)),
)
GOOGLE_CAPABILITIES = (
    "IMAP4rev1 UNSELECT IDLE NAMESPACE ID CHILDREN X-GM-EXT-1 UIDPLUS ENABLE MOVE CONDSTORE"
    " ESEARCH LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE SASL-IR"
)

GMAIL = Profile(
    id="gmail",
    domain="gmail.lab.example",
    mx="gmail-smtp-in.l.google.com",
    host="mx.google.com",
    folders=GOOGLE_FOLDERS,
    spam="[Gmail]/Spam",
    capabilities=GOOGLE_CAPABILITIES,
    greeting="Gimap ready for requests",
    before_login="IMAP4rev1 UNSELECT IDLE NAMESPACE ID CHILDREN X-GM-EXT-1 SASL-IR AUTH=PLAIN",
)

GOOGLE_WORKSPACE = Profile(
    id="google_workspace",
    domain="workspace.lab.example",
    mx="aspmx.l.google.com",
    host="mx.google.com",
    folders=GOOGLE_FOLDERS,
    spam="[Gmail]/Spam",
    capabilities=GOOGLE_CAPABILITIES,
    greeting=GMAIL.greeting,
    before_login=GMAIL.before_login,
)

OUTLOOK = Profile(
    id="outlook",
    domain="outlook.lab.example",
    mx="outlook-com.olc.protection.outlook.com",
    host="AM6EUR05FT012.mail.protection.outlook.com",
    folders=(
        ("INBOX", ()),
        ("Archive", ()),
        ("Deleted", ("\\Trash",)),
        ("Drafts", ("\\Drafts",)),
        ("Junk", ("\\Junk",)),
        ("Sent", ("\\Sent",)),
    ),
    spam="Junk",
    capabilities=f"IMAP4 {BASIC} MOVE",
    greeting="The Microsoft Exchange IMAP4 service is ready.",
)

MICROSOFT365 = Profile(
    id="microsoft365",
    domain="m365.lab.example",
    mx="m365-lab-example.mail.protection.outlook.com",
    host="BN8NAM12FT045.mail.protection.outlook.com",
    folders=(
        ("INBOX", ()),
        ("Archive", ()),
        ("Deleted Items", ("\\Trash",)),
        ("Drafts", ("\\Drafts",)),
        ("Junk Email", ("\\Junk",)),
        ("Sent Items", ("\\Sent",)),
    ),
    spam="Junk Email",
    capabilities=f"IMAP4 {BASIC} MOVE",
    has_tenant_api=True,
    greeting="The Microsoft Exchange IMAP4 service is ready.",
)

YAHOO = Profile(
    id="yahoo",
    domain="yahoo.lab.example",
    mx="mta5.am0.yahoodns.net",
    host="atlas-production.v2-mail-prod1-gq1.omega.yahoo.com",
    folders=(
        ("INBOX", ()),
        ("Archive", ("\\Archive",)),
        ("Bulk", ("\\Junk",)),
        ("Draft", ("\\Drafts",)),
        ("Sent", ("\\Sent",)),
        ("Trash", ("\\Trash",)),
    ),
    spam="Bulk",
    capabilities=f"{BASIC} MOVE CONDSTORE ENABLE SPECIAL-USE",
    greeting="IMAP4rev1 imapgate ready",
)

ICLOUD = Profile(
    id="icloud",
    domain="icloud.lab.example",
    mx="mx01.mail.icloud.com",
    host="ms11p00im-qufo17281201.me.com",
    folders=(  # no SPECIAL-USE attributes at all
        ("INBOX", ("\\Noinferiors",)),
        ("Archive", ()),
        ("Deleted Messages", ()),
        ("Drafts", ()),
        ("Junk", ()),
        ("Sent Messages", ()),
    ),
    spam="Junk",
    capabilities=f"IMAP4 {BASIC} CONDSTORE ENABLE ESEARCH LIST-EXTENDED LIST-STATUS",
    greeting="iCloud IMAP4 ready",
)

GMX = Profile(
    id="gmx",
    domain="gmx.lab.example",
    mx="mx00.gmx.net",
    host="mx.gmx.net",
    folders=(
        ("INBOX", ()),
        ("Drafts", ("\\Drafts",)),
        ("OUTBOX", ()),
        ("Sent", ("\\Sent",)),
        ("Spam", ("\\Junk",)),
        ("Trash", ("\\Trash",)),
    ),
    spam="Spam",
    capabilities=f"{BASIC} ENABLE LIST-EXTENDED LIST-STATUS MOVE SPECIAL-USE",
    greeting="IMAP server ready",
)

CORPORATE = Profile(
    id="corporate",
    domain="corporate.lab.example",
    mx="mx.corporate.lab.example",
    host="mx.corporate.lab.example",
    folders=(
        ("INBOX", ()),
        ("Drafts", ("\\Drafts",)),
        ("Junk", ("\\Junk",)),
        ("Quarantine", ()),
        ("Sent", ("\\Sent",)),
        ("Trash", ("\\Trash",)),
    ),
    spam="Junk",
    quarantine="Quarantine",
    capabilities=(f"{BASIC} MOVE CONDSTORE ENABLE ESEARCH LIST-EXTENDED LIST-STATUS SPECIAL-USE"),
)

PROFILES: dict[str, Profile] = {
    p.id: p for p in (GMAIL, GOOGLE_WORKSPACE, OUTLOOK, MICROSOFT365, YAHOO, ICLOUD, GMX, CORPORATE)
}
UNFILTERED_DOMAIN = "inbox.lab.example"  # people who get our alerts; CORPORATE, without rules
