"""Signatures, as Amazon publishes them."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from monitor.senders.esp.sigv4 import Signer

AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HOST = {"Host": "example.amazonaws.com"}
FORM = "application/x-www-form-urlencoded"
IAM = {"Host": "iam.amazonaws.com", "Content-Type": f"{FORM}; charset=utf-8"}


def signer(service: str = "service", session_token: str = "") -> Signer:
    return Signer("AKIDEXAMPLE", SECRET, "us-east-1", service, session_token)


@pytest.mark.parametrize(
    ("service", "method", "target", "headers", "body", "signature"),
    [
        (  # get-vanilla
            "service", "GET", "/", HOST, b"",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (  # post-vanilla
            "service", "POST", "/", HOST, b"",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (  # post-x-www-form-urlencoded
            "service", "POST", "/", {**HOST, "Content-Type": FORM}, b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (  # get-vanilla-query-order-key-case
            "service", "GET", "/?Param2=value2&Param1=value1", HOST, b"",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (  # the example of the IAM User Guide
            "iam", "GET", "/?Action=ListUsers&Version=2010-05-08", IAM, b"",
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    ],
)  # fmt: skip
def test_signatures_are_those_of_amazon_s_test_suite(
    service: str, method: str, target: str, headers: Mapping[str, str], body: bytes, signature: str
) -> None:
    signed = signer(service).sign(method, target, headers, body, AT)

    assert signed["Authorization"].endswith(f"Signature={signature}")
    assert signed["X-Amz-Date"] == "20150830T123600Z"


def test_a_session_token_is_signed_too() -> None:
    signed = signer(session_token="temporary").sign("GET", "/", HOST, b"", AT)

    assert signed["X-Amz-Security-Token"] == "temporary"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in signed["Authorization"]


def test_a_signer_shows_no_secret() -> None:
    shown = repr(signer(session_token="temporary"))

    assert SECRET not in shown
    assert "temporary" not in shown
