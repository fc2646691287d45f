"""The providers of the tests' small worlds, with the names that people read."""

NAMES = {
    "gmail": "Gmail",
    "google_workspace": "Google Workspace",
    "outlook": "Outlook.com",
    "microsoft365": "Microsoft 365",
    "yahoo": "Yahoo",
    "icloud": "iCloud",
    "gmx": "GMX",
    "corporate": "Corporate gateway",
}
