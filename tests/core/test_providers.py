"""Provider facts, and the files of them that we ship."""

from pathlib import Path

import pytest

from monitor.core.campaigns import Role
from monitor.core.errors import BadInputError
from monitor.core.providers import parse_provider, provider_of_mx
from monitor.core.seedlist import read_seed_list
from monitor.core.seeds import Endpoint, ProviderFacts, Security
from monitor.rendering import data_dir

FILES = sorted((data_dir("seedlists") / "providers").glob("*.toml"))
SHIPPED = {path.stem: parse_provider(path.read_text("utf-8"), name=path.stem) for path in FILES}
IDS = {
    "aol",
    "corporate",
    "fastmail",
    "gmail",
    "gmx",
    "google_workspace",
    "icloud",
    "microsoft365",
    "outlook",
    "proton",
    "webde",
    "yahoo",
    "zoho",
}


def test_all_facts_of_a_file_are_read() -> None:
    facts = parse_provider(
        """
        name = "Acme Mail"
        business = true
        mx = [".MX.acme.example."]
        tabs = ["promotions"]
        authserv_ids = ["mx.acme.example"]
        link_hosts = ["safe.acme.example"]
        login_remedy = "Renew the password."
        report_form = "https://acme.example/report"
        [imap]
        host = "imap.acme.example"
        port = 143
        security = "starttls"
        serial = true
        connections = 20
        account_connections = 5
        [folders]
        spam = ["Spam", "Unerwünscht"]
        trash = ["Bin"]
        """,
        name="acme",
    )

    assert facts == ProviderFacts(
        id="acme",
        name="Acme Mail",
        mx=("mx.acme.example",),
        imap=Endpoint("imap.acme.example", 143, Security.STARTTLS),
        folders={"spam": Role.SPAM, "unerwünscht": Role.SPAM, "bin": Role.TRASH},
        tabs=("promotions",),
        authserv_ids=("mx.acme.example",),
        login_remedy="Renew the password.",
        report_form="https://acme.example/report",
        link_hosts=("safe.acme.example",),
        business=True,
        serial=True,
        connections=20,
        account_connections=5,
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('nam = "x"', "acme: 'nam' is not a known key. Did you mean 'name'?"),
        (
            '[folders]\nspma = ["x"]',
            "acme.folders: 'spma' is not a known key. Did you mean 'spam'?",
        ),
        ('[imap]\nhots = "x"', "acme.imap: 'hots' is not a known key. Did you mean 'host'?"),
        ("[imap]\nport = 993", "acme.imap.host: '' is empty. Name the IMAP server."),
        (
            '[imap]\nhost = "x"\nport = "993"',
            "acme.imap.port: '993' is not a port. Write a number from 1 to 65535.",
        ),
        (
            '[imap]\nhost = "x"\nsecurity = "ssl"',
            "acme.imap.security: 'ssl' is not known. Known are: plain, starttls, tls.",
        ),
        ('mx = "a"', "acme.mx: 'a' is of the wrong kind. Write a list of texts."),
        ("mx = [1]", "acme.mx: '[1]' holds more than texts. Write a list of texts."),
        ("name = 3", "acme.name: '3' is of the wrong kind. Write a text."),
        ('business = "no"', "acme.business: 'no' is of the wrong kind. Write true or false."),
        (
            '[imap]\nhost = "x"\nconnections = 0.5',
            "acme.imap.connections: '0.5' is not a number. Write a number from 1 to 10000.",
        ),
        (
            '[imap]\nhost = "x"\nserial = 1',
            "acme.imap.serial: '1' is of the wrong kind. Write true or false.",
        ),
        ("imap = 3", "acme.imap: '3' is of the wrong kind. Write a table."),
    ],
)
def test_a_fact_that_cannot_be_names_key_value_and_remedy(text: str, complaint: str) -> None:
    with pytest.raises(BadInputError) as caught:
        parse_provider(text, name="acme")

    assert str(caught.value) == complaint


@pytest.mark.parametrize("text", ["name = ", "a" * 300_000, "x = " + "[" * 5000])
def test_what_is_not_toml_is_bad_input(text: str) -> None:
    with pytest.raises(BadInputError):
        parse_provider(text, name="acme")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_file_is_complete(path: Path) -> None:
    facts = SHIPPED[path.stem]

    assert facts.login_remedy.endswith(".")
    assert Role.SPAM in facts.folders.values()
    assert Role.TRASH in facts.folders.values()


def test_every_provider_of_the_design_has_its_file() -> None:
    assert set(SHIPPED) == IDS


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("gmail-smtp-in.l.google.com", "gmail"),
        ("ALT1.aspmx.l.google.com.", "google_workspace"),
        ("outlook-com.olc.protection.outlook.com", "outlook"),
        ("acme-example.mail.protection.outlook.com", "microsoft365"),
        ("mta5.am0.yahoodns.net", "yahoo"),
        ("mx01.mail.icloud.com", "icloud"),
        ("in1-smtp.messagingengine.com", "fastmail"),
        ("mx.acme.example", None),
        ("notgoogle.com", None),
        ("", None),
    ],
)
def test_a_provider_is_known_by_its_mx(host: str, provider: str | None) -> None:
    assert provider_of_mx([host], SHIPPED) == provider


def test_the_first_mx_that_is_known_decides() -> None:
    hosts = ["gate.acme.example", "mx01.mail.icloud.com", "alt1.aspmx.l.google.com"]

    assert provider_of_mx(hosts, SHIPPED) == "icloud"


def test_the_demo_list_can_be_read_and_names_known_providers() -> None:
    data = (data_dir("seedlists") / "demo.csv").read_bytes()
    file = read_seed_list(data, providers=SHIPPED)

    assert file.problems == ()
    assert len(file.entries) == 32
    assert {entry.region for entry in file.entries} == {"eu", "us"}
    assert all(entry.password for entry in file.entries)
