"""Where vendors and standards explain what they print. Links for people, never fetched."""

RFC_AUTHRES = "https://www.rfc-editor.org/rfc/rfc8601#section-2.7"
RFC_ARC = "https://www.rfc-editor.org/rfc/rfc8617#section-4.4"
RFC_DSN = "https://www.rfc-editor.org/rfc/rfc3464#section-2.3"
RFC_RECEIVED = "https://www.rfc-editor.org/rfc/rfc5321#section-4.4"
IANA_STATUS = (
    "https://www.iana.org/assignments/smtp-enhanced-status-codes/smtp-enhanced-status-codes.xhtml"
)
SMTP_CODES = "https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3"

_LEARN = "https://learn.microsoft.com/en-us"
MICROSOFT = f"{_LEARN}/defender-office-365/message-headers-eop-mdo"
MICROSOFT_SCL = f"{_LEARN}/defender-office-365/anti-spam-spam-confidence-level-scl-about"
MICROSOFT_BCL = f"{_LEARN}/defender-office-365/anti-spam-bulk-complaint-level-bcl-about"
MICROSOFT_ASF = f"{_LEARN}/defender-office-365/anti-spam-policies-asf-settings-about"
MICROSOFT_AUTH = f"{_LEARN}/defender-office-365/email-authentication-about"
MICROSOFT_JUNK = f"{_LEARN}/defender-office-365/configure-junk-email-settings-on-exo-mailboxes"
MICROSOFT_FOCUSED = f"{_LEARN}/microsoft-365/admin/setup/configure-focused-inbox"
EXCHANGE_HEADERS = f"{_LEARN}/exchange/antispam-and-antimalware/antispam-protection/antispam-stamps"
MICROSOFT_NDR = (
    f"{_LEARN}/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/"
    "non-delivery-reports-in-exchange-online"
)
MICROSOFT_OUTBOUND = f"{_LEARN}/defender-office-365/outbound-spam-restore-restricted-users"
MICROSOFT_DELIST = "https://sender.office.com"
OUTLOOK_POSTMASTER = "https://sendersupport.olc.protection.outlook.com/pm/troubleshooting.aspx"

GMAIL_SENDERS = "https://support.google.com/mail/answer/81126"
GMAIL_BLOCKED = "https://support.google.com/mail/answer/188131"
GMAIL_ERRORS = "https://support.google.com/a/answer/3221692"
GMAIL_HEADERS = "https://support.google.com/a/answer/2368132"

YAHOO_ERRORS = "https://senders.yahooinc.com/smtp-error-codes/"
APPLE_POSTMASTER = "https://support.apple.com/en-us/102322"
GMX_ERRORS = "https://postmaster.gmx.net/en/error-messages"
WEBDE_ERRORS = "https://postmaster.web.de/en/error-messages"
FASTMAIL = "https://www.fastmail.com/help/technical/spamchecks.html"
PROTON_SPAM = "https://proton.me/support/spam-filtering"

SPAMHAUS = "https://check.spamhaus.org/"
PROOFPOINT = "https://ipcheck.proofpoint.com/"
CLOUDMARK = "https://csi.cloudmark.com/en/reset/"
BARRACUDA_LOOKUP = "https://www.barracudacentral.org/lookups"
MIMECAST_ERRORS = (
    "https://mimecastsupport.zendesk.com/hc/en-us/articles/"
    "34000709564691-Policies-Mimecast-SMTP-Error-Codes"
)
MIMECAST_SCORE = (
    "https://mimecastsupport.zendesk.com/hc/en-us/articles/"
    "34000674839699-Spam-Phishing-Message-Insight-Spam-Score"
)
CISCO_HEADERS = (
    "https://www.cisco.com/c/en/us/support/docs/security/email-security-appliance/"
    "118900-technote-esa-00.html"
)
SPAMCOP = "https://www.spamcop.net/bl.shtml"

RSPAMD = "https://rspamd.com/doc/modules/milter_headers.html"
SPAMASSASSIN = "https://spamassassin.apache.org/full/4.0.x/doc/Mail_SpamAssassin_Conf.html"
SPAMASSASSIN_RULES = "https://spamassassin.apache.org/tests_3_3_x.html"
