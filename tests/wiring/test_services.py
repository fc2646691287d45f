"""Sending services as the configuration names them."""

from pathlib import Path

import pytest

from monitor.core.errors import BadInputError
from monitor.senders.esp.service import Service
from monitor.senders.kinds import ESPS
from monitor.settings import Settings, load_settings
from monitor.wiring.transports import open_named

IN_TWO_PARTS = "access_key = 'AKID'\nsecret_key = 'hunter2'\nregion = 'eu-west-1'"
NEEDED = {"ses": IN_TWO_PARTS, "mailgun": "api_key = 'hunter2'\ndomain = 'mg.brand.example'"}


def configured(folder: Path, kind: str, more: str = "") -> Settings:
    path = folder / "config.toml"
    needed = NEEDED.get(kind, "api_key = 'hunter2'")
    path.write_text(f"[transports.esp]\nkind = '{kind}'\n{needed}\n{more}", "utf-8")
    return load_settings(path, {})


@pytest.mark.parametrize("kind", ESPS)
def test_every_service_opens_with_the_keys_of_the_configuration(tmp_path: Path, kind: str) -> None:
    service = open_named("esp", configured(tmp_path, kind))

    assert isinstance(service, Service)
    assert service.home.startswith("https://")
    assert "hunter2" not in repr(service)


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("sendgrid", "tracking", "off"),
        ("sendgrid", "region", "eu"),
        ("postmark", "stream", "broadcast"),
        ("ses", "configuration_set", "newsletters"),
    ],
)
def test_what_a_service_offers_beyond_its_key_can_be_said(
    tmp_path: Path, kind: str, key: str, value: str
) -> None:
    service = open_named("esp", configured(tmp_path, kind, f"{key} = '{value}'"))

    assert getattr(service, key) == value


@pytest.mark.parametrize(
    ("kind", "more", "field"),
    [
        ("brevo", "tracking = 'off'", "transports.esp.tracking"),
        ("resend", "stream = 'broadcast'", "transports.esp.stream"),
        ("postmark", "region = 'eu'", "transports.esp.region"),
    ],
)
def test_what_a_service_does_not_offer_is_refused_by_our_name_of_it(
    tmp_path: Path, kind: str, more: str, field: str
) -> None:
    with pytest.raises(BadInputError) as wrong:
        open_named("esp", configured(tmp_path, kind, more))

    assert wrong.value.field == field
