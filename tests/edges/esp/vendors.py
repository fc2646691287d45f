"""The eight services, each as its published schema has it; docs/esps.md names the sources."""

import base64
import hashlib
import hmac
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from typing import Any

from tests.edges.esp.server import (
    ADDRESS,
    Call,
    Heard,
    Sent,
    Vendor,
    base64_text,
    each,
    flag,
    json_body,
    no_body,
    obj,
    reply,
    strings,
    text,
)

KEY = "SK.very-secret-key-0123456789"
BEARER = {"Authorization": f"Bearer {KEY}"}
UUID = "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9"
MAILBOX = text(r"[^<>@\s]+@[^<>@\s]+|[^<>@]+ <[^<>@\s]+@[^<>@\s]+>")


def by_name(pairs: list[dict[str, str]]) -> dict[str, str]:
    return {pair["Name"]: pair["Value"] for pair in pairs}


# --- SendGrid -----------------------------------------------------------------------------

_MAIL = obj({"email": ADDRESS}, {"name": text("(?s).*")})
_SENDGRID = obj(
    {"personalizations": each(obj({"to": each(_MAIL)})), "from": _MAIL},
    {
        "subject": text(),
        "content": each(obj({"type": text("text/(plain|html)"), "value": text()}), most=2),
        "headers": strings,
        "reply_to": _MAIL,
        "tracking_settings": obj(
            {},
            {
                "click_tracking": obj({"enable": flag}, {"enable_text": flag}),
                "open_tracking": obj({"enable": flag}),
            },
        ),
    },
)


def _sendgrid_error(status: int, message: str) -> bytes:
    return reply(status, {"errors": [{"message": message, "field": None, "help": None}]})


def _sendgrid_sent(heard: Heard) -> Sent:
    body = heard.json
    bodies = {one["type"]: one["value"] for one in body["content"]}
    return Sent(
        recipient=body["personalizations"][0]["to"][0]["email"],
        sender=body["from"]["email"],
        name=body["from"]["name"],
        subject=body["subject"],
        bodies=(bodies["text/plain"], bodies["text/html"]),
        headers=body["headers"],
    )


SENDGRID = Vendor(
    kind="sendgrid",
    options={"api_key": KEY},
    send=Call("POST", "/v3/mail/send", BEARER, json_body(_SENDGRID)),
    question=Call("GET", "/v3/scopes", BEARER, no_body),
    taken=reply(202, b"", "text/plain", X_Message_Id="14c5d75ce93.dfd.64b469"),
    known=reply(200, {"scopes": ["mail.send", "alerts.read"]}),
    who="SendGrid: a key with 2 permissions, mail.send among them",
    refused=_sendgrid_error(403, "The from address does not match a verified Sender Identity."),
    words="The from address does not match a verified Sender Identity",
    unknown_key=_sendgrid_error(401, "The provided authorization grant is invalid"),
    failed=_sendgrid_error(500, "Internal Server Error"),
    took=_sendgrid_sent,
    id="14c5d75ce93.dfd.64b469",
    may_not_send=(reply(200, {"scopes": ["alerts.read"]}),),
)

# --- Mailgun ------------------------------------------------------------------------------

_BASIC = {"Authorization": "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()}
_MAILGUN_FIELDS = {"to", "message", "o:tracking"}


def _form(heard: Heard) -> dict[str, bytes]:
    head = f"Content-Type: {heard.headers['content-type']}\r\n\r\n".encode()
    found = {}
    boundary = message_from_bytes(head).get_boundary() or ""
    for part in heard.body.split(b"--" + boundary.encode())[1:-1]:
        fields, _, content = part.partition(b"\r\n\r\n")
        named = message_from_bytes(fields.strip() + b"\r\n\r\n")
        found[str(named.get_param("name", header="content-disposition"))] = content[:-2]
    return found


def _mailgun_body(heard: Heard) -> list[str]:
    form = _form(heard)
    wrong = [f"{name} is missing" for name in ("to", "message") if name not in form]
    wrong += [f"{name} is not in the schema" for name in form if name not in _MAILGUN_FIELDS]
    wrong += ADDRESS(form["to"].decode(), "to")
    return wrong + ([] if form.get("o:tracking", b"no") in {b"yes", b"no"} else ["o:tracking"])


MAILGUN = Vendor(
    kind="mailgun",
    options={"api_key": KEY, "domain": "mg.brand.example"},
    send=Call("POST", "/v3/mg.brand.example/messages.mime", _BASIC, _mailgun_body),
    question=Call("GET", "/v4/domains/mg.brand.example", _BASIC, no_body),
    taken=reply(200, {"id": "<2026.1@mg.brand.example>", "message": "Queued. Thank you."}),
    known=reply(200, {"domain": {"name": "mg.brand.example", "state": "active"}}),
    who="Mailgun: domain mg.brand.example, active",
    refused=reply(400, {"message": "to parameter is not a valid address"}),
    words="to parameter is not a valid address",
    unknown_key=reply(401, b"Forbidden", "text/plain"),
    failed=reply(500, {"message": "Internal Server Error"}),
    took=lambda heard: Sent(_form(heard)["to"].decode(), _form(heard)["message"]),
    id="2026.1@mg.brand.example",
    their_id="<2026.1@mg.brand.example>",
    may_not_send=(
        reply(200, {"domain": {"name": "mg.brand.example", "state": "unverified"}}),
        reply(403, {"message": "forbidden"}),
    ),
)

# --- Postmark -----------------------------------------------------------------------------

_POSTMARK = obj(
    {"From": MAILBOX, "To": ADDRESS, "Subject": text()},
    {
        "HtmlBody": text(),
        "TextBody": text(),
        "ReplyTo": ADDRESS,
        "Headers": each(obj({"Name": text(r"[!-9;-~]+"), "Value": text("[^\r\n]*")})),
        "TrackOpens": flag,
        "TrackLinks": text("None|HtmlAndText|HtmlOnly|TextOnly"),
        "MessageStream": text(),
    },
)
_TOKEN = {"X-Postmark-Server-Token": KEY, "Accept": "application/json"}


def _postmark_sent(heard: Heard) -> Sent:
    body = heard.json
    return Sent(
        recipient=body["To"],
        sender=body["From"].rpartition("<")[2].rstrip(">"),
        name=body["From"].rpartition(" <")[0].strip('"'),
        subject=body["Subject"],
        bodies=(body["TextBody"], body["HtmlBody"]),
        headers=by_name(body["Headers"]),
    )


POSTMARK = Vendor(
    kind="postmark",
    options={"server_token": KEY},
    send=Call("POST", "/email", _TOKEN, json_body(_POSTMARK)),
    question=Call("GET", "/server", _TOKEN, no_body),
    taken=reply(
        200,
        {
            "To": "seed@mailbox.example",
            "SubmittedAt": "2026-03-02T08:00:00Z",
            "MessageID": UUID,
            "ErrorCode": 0,
            "Message": "OK",
        },
    ),
    known=reply(200, {"ID": 1, "Name": "Newsletters", "DeliveryType": "Live"}),
    who="Postmark: server Newsletters",
    refused=reply(
        422,
        {
            "ErrorCode": 406,
            "Message": "The recipient has been marked as inactive.",
        },
    ),
    words="The recipient has been marked as inactive. (error 406)",
    unknown_key=reply(
        401, {"ErrorCode": 10, "Message": "Request does not contain a valid Server token."}
    ),
    failed=reply(500, {"ErrorCode": 0, "Message": "Internal Server Error"}),
    took=_postmark_sent,
    id=UUID,
    their_id=f"<{UUID}@mtasv.net>",
    may_not_send=(reply(200, {"ID": 1, "Name": "Newsletters", "DeliveryType": "Sandbox"}),),
)

# --- Amazon SES ---------------------------------------------------------------------------

_SES = obj(
    {"Content": obj({"Raw": obj({"Data": base64_text})})},
    {
        "Destination": obj({"ToAddresses": each(ADDRESS, most=50)}),
        "ConfigurationSetName": text("[A-Za-z0-9_-]{1,64}"),
    },
)
_ACCESS, _REGION = "AKIDEXAMPLE", "eu-west-1"


def _signed(heard: Heard) -> list[str]:
    """Work the signature out again, step by step, from what came in."""
    words = dict(
        word.split("=", 1)
        for word in heard.headers["authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(", ")
    )
    day, at = heard.headers["x-amz-date"][:8], heard.headers["x-amz-date"]
    names = words["SignedHeaders"].split(";")
    wrong = [f"{name} is not signed" for name in ("host", "x-amz-date") if name not in names]
    canonical = f"{heard.method}\n{heard.path}\n\n"
    canonical += "".join(f"{name}:{heard.headers[name]}\n" for name in names)
    canonical += f"\n{words['SignedHeaders']}\n{hashlib.sha256(heard.body).hexdigest()}"
    scope = f"{day}/{_REGION}/ses/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    k_date = hmac.new(b"AWS4" + KEY.encode(), day.encode(), hashlib.sha256).digest()
    k_region = hmac.new(k_date, _REGION.encode(), hashlib.sha256).digest()
    k_service = hmac.new(k_region, b"ses", hashlib.sha256).digest()
    k_signing = hmac.new(k_service, b"aws4_request", hashlib.sha256).digest()
    signature = hmac.new(k_signing, to_sign.encode(), hashlib.sha256).hexdigest()
    if words["Credential"] != f"{_ACCESS}/{scope}":
        wrong.append(f"the credential is {words['Credential']}")
    return wrong + ([] if words["Signature"] == signature else ["the signature is wrong"])


def _ses_error(status: int, kind: str, message: str) -> bytes:
    address = "http://internal.amazon.com/coral/com.amazonaws.services.simpleemail.v2/"
    return reply(status, {"message": message}, x_amzn_ErrorType=f"{kind}:{address}")


def _ses_sent(heard: Heard) -> Sent:
    body = heard.json
    raw = base64.b64decode(body["Content"]["Raw"]["Data"])
    return Sent(body["Destination"]["ToAddresses"][0], raw)


_SES_ID = "0102018f-0000-000000"
SES = Vendor(
    kind="ses",
    options={"access_key_id": _ACCESS, "secret_access_key": KEY, "region": _REGION},
    send=Call(
        "POST",
        "/v2/email/outbound-emails",
        {},
        lambda heard: _signed(heard) + json_body(_SES)(heard),
    ),
    question=Call("GET", "/v2/email/account", {}, lambda heard: _signed(heard) + no_body(heard)),
    taken=reply(200, {"MessageId": _SES_ID}),
    known=reply(
        200,
        {
            "ProductionAccessEnabled": True,
            "SendingEnabled": True,
            "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 1.0},
        },
    ),
    who="Amazon SES: eu-west-1, production, 50000.0 messages a day",
    refused=_ses_error(400, "MessageRejected", "Email address is not verified."),
    words="Email address is not verified. (MessageRejected)",
    unknown_key=_ses_error(
        403, "UnrecognizedClientException", "The security token included in the request is invalid."
    ),
    failed=_ses_error(500, "InternalServiceErrorException", "Try again."),
    took=_ses_sent,
    id=_SES_ID,
    their_id=f"<{_SES_ID}@eu-west-1.amazonses.com>",
    only_sends=_ses_error(403, "AccessDeniedException", "not authorized: ses:GetAccount"),
    may_not_send=(reply(200, {"SendingEnabled": False}),),
)

# --- SparkPost ----------------------------------------------------------------------------

_SPARKPOST = obj(
    {
        "recipients": each(obj({"address": obj({"email": ADDRESS}, {"name": text()})})),
        "content": obj({"email_rfc822": text()}),
    },
    {"options": obj({}, {"open_tracking": flag, "click_tracking": flag, "transactional": flag})},
)
_SPARKPOST_KEY = {"Authorization": KEY}
_SPARKPOST_ID = "11668787484950529"


def _sparkpost_error(status: int, message: str, description: str, code: str) -> bytes:
    return reply(
        status, {"errors": [{"message": message, "description": description, "code": code}]}
    )


def _sparkpost_results(accepted: int) -> dict[str, Any]:
    return {
        "results": {
            "total_rejected_recipients": 1 - accepted,
            "total_accepted_recipients": accepted,
            "id": _SPARKPOST_ID,
        }
    }


SPARKPOST = Vendor(
    kind="sparkpost",
    options={"api_key": KEY},
    send=Call("POST", "/api/v1/transmissions", _SPARKPOST_KEY, json_body(_SPARKPOST)),
    question=Call("GET", "/api/v1/account", _SPARKPOST_KEY, no_body),
    taken=reply(200, _sparkpost_results(1)),
    known=reply(200, {"results": {"customer_id": 7, "company_name": "Brand", "status": "active"}}),
    who="SparkPost: account Brand, active",
    refused=_sparkpost_error(
        400, "Invalid domain", "Unconfigured or unverified sending domain.", "7001"
    ),
    words="Invalid domain: Unconfigured or unverified sending domain",
    unknown_key=reply(401, {"errors": [{"message": "Unauthorized."}]}),
    failed=_sparkpost_error(500, "internal error", "try again", "1000"),
    took=lambda heard: Sent(
        heard.json["recipients"][0]["address"]["email"],
        heard.json["content"]["email_rfc822"].encode(),
    ),
    id=_SPARKPOST_ID,
    only_sends=reply(403, {"errors": [{"message": "Forbidden."}]}),
    may_not_send=(reply(200, {"results": {"customer_id": 7, "status": "suspended"}}),),
)

# --- Brevo --------------------------------------------------------------------------------

_BREVO = obj(
    {
        "sender": obj({"email": ADDRESS}, {"name": text()}),
        "to": each(obj({"email": ADDRESS}, {"name": text()}), most=99),
        "subject": text(),
    },
    {
        "htmlContent": text(),
        "textContent": text(),
        "headers": strings,
        "replyTo": obj({"email": ADDRESS}),
    },
)
_BREVO_KEY = {"api-key": KEY, "Accept": "application/json"}


def _brevo_sent(heard: Heard) -> Sent:
    body = heard.json
    return Sent(
        recipient=body["to"][0]["email"],
        sender=body["sender"]["email"],
        name=str(make_header(decode_header(body["sender"]["name"]))),
        subject=body["subject"],
        bodies=(body["textContent"], body["htmlContent"]),
        headers=body["headers"],
    )


BREVO = Vendor(
    kind="brevo",
    options={"api_key": KEY},
    send=Call("POST", "/v3/smtp/email", _BREVO_KEY, json_body(_BREVO)),
    question=Call("GET", "/v3/account", _BREVO_KEY, no_body),
    taken=reply(201, {"messageId": "<202603020800.42@smtp-relay.mailin.fr>"}),
    known=reply(200, {"email": "us@brand.example", "companyName": "Brand", "plan": []}),
    who="Brevo: account Brand",
    refused=reply(400, {"code": "invalid_parameter", "message": "Sender is invalid / inactive"}),
    words="Sender is invalid / inactive (invalid_parameter)",
    unknown_key=reply(401, {"code": "unauthorized", "message": "Key not found"}),
    failed=reply(500, {"code": "internal_error", "message": "Something went wrong"}),
    took=_brevo_sent,
    id="202603020800.42@smtp-relay.mailin.fr",
    their_id="<202603020800.42@smtp-relay.mailin.fr>",
)

# --- Resend -------------------------------------------------------------------------------

_RESEND = obj(
    {"from": MAILBOX, "to": each(ADDRESS, most=50), "subject": text()},
    {"html": text(), "text": text(), "headers": strings, "reply_to": ADDRESS},
)


def _resend_error(status: int, name: str, message: str) -> bytes:
    return reply(status, {"statusCode": status, "name": name, "message": message})


def _resend_body(heard: Heard) -> list[str]:
    key = heard.headers.get("idempotency-key", "")
    wrong = [] if 1 <= len(key) <= 256 else ["the idempotency key is none"]
    wrong += [] if heard.headers.get("user-agent") else ["there is no User-Agent"]
    return wrong + json_body(_RESEND)(heard)


def _resend_sent(heard: Heard) -> Sent:
    body = heard.json
    return Sent(
        recipient=body["to"][0],
        sender=body["from"].rpartition("<")[2].rstrip(">"),
        name=body["from"].rpartition(" <")[0].strip('"'),
        subject=body["subject"],
        bodies=(body["text"], body["html"]),
        headers=body["headers"],
    )


RESEND = Vendor(
    kind="resend",
    options={"api_key": KEY},
    send=Call("POST", "/emails", BEARER, _resend_body),
    question=Call("GET", "/domains", BEARER, no_body),
    taken=reply(200, {"id": UUID}),
    known=reply(200, {"object": "list", "data": [{"name": "brand.example", "status": "verified"}]}),
    who="Resend: brand.example",
    refused=_resend_error(403, "validation_error", "The brand.example domain is not verified."),
    words="The brand.example domain is not verified. (validation_error)",
    unknown_key=_resend_error(403, "invalid_api_key", "API key is invalid"),
    failed=_resend_error(500, "internal_server_error", "An unexpected error occurred."),
    took=_resend_sent,
    id=UUID,
    only_sends=_resend_error(
        401, "restricted_api_key", "This API key is restricted to only send emails"
    ),
)

# --- Mailchimp Transactional --------------------------------------------------------------

_MANDRILL = obj(
    {"key": text(), "raw_message": text()},
    {"to": each(ADDRESS), "async": flag, "from_email": ADDRESS, "return_path_domain": text()},
)
_MANDRILL_ID = "abc123abc123abc123abc123"


def _keyed(shape: Any) -> Any:
    def check(heard: Heard) -> list[str]:
        wrong: list[str] = json_body(shape)(heard)
        return wrong + ([] if heard.json.get("key") == KEY else ["the key is another"])

    return check


def _mandrill_error(status: int, name: str, message: str) -> bytes:
    return reply(status, {"status": "error", "code": -1, "name": name, "message": message})


def mandrill_result(status: str, reason: str | None = None) -> bytes:
    one = {"email": "seed@mailbox.example", "status": status, "_id": _MANDRILL_ID}
    return reply(200, [{**one, "reject_reason": reason}])


MAILCHIMP = Vendor(
    kind="mailchimp",
    options={"api_key": KEY},
    send=Call("POST", "/messages/send-raw", {}, _keyed(_MANDRILL)),
    question=Call("POST", "/users/info", {}, _keyed(obj({"key": text()}))),
    taken=mandrill_result("sent"),
    known=reply(200, {"username": "brand", "reputation": 90, "hourly_quota": 250}),
    who="Mailchimp Transactional: account brand",
    refused=_mandrill_error(500, "ValidationError", "You must specify a key value"),
    words="You must specify a key value (ValidationError)",
    unknown_key=_mandrill_error(500, "Invalid_Key", "Invalid API key"),
    failed=_mandrill_error(500, "GeneralError", "An unexpected error occurred"),
    took=lambda heard: Sent(heard.json["to"][0], heard.json["raw_message"].encode()),
    id=_MANDRILL_ID,
    may_not_send=(_mandrill_error(500, "Invalid_Key", "Invalid API key"),),
)

VENDORS = (SENDGRID, MAILGUN, POSTMARK, SES, SPARKPOST, BREVO, RESEND, MAILCHIMP)
BY_KIND = {vendor.kind: vendor for vendor in VENDORS}


def of_raw(raw: bytes) -> Sent:
    """Read a whole message as the parts that a service would be given."""
    message = message_from_bytes(raw, policy=default)
    bodies = [part.get_content() for part in message.walk() if not part.is_multipart()]
    return Sent(
        recipient=str(message["To"]),
        raw=raw,
        sender=message["From"].addresses[0].addr_spec,
        name=message["From"].addresses[0].display_name,
        subject=str(message["Subject"]),
        bodies=(bodies[0], bodies[1]),
        headers={name: str(value) for name, value in message.items()},
    )
