"""A connection's file without a fault, and reading it."""

from __future__ import annotations

from pathlib import Path

from serving.connections.config import load_connections

GOOD = """
vendor = "hubspot"
public_url = "https://scores.example.com/"
secret_envs = ["CRM_SECRET", "CRM_SECRET_OLD"]
source = "sample"
portal_ids = [62515]

[objects.contact]
table = "leads"
key = "L{id}"
columns = { industry = "industry", hs_lead_status = "status" }
[objects.contact.values.status]
UNQUALIFIED = "disqualified"
"""


ENV = {"CRM_SECRET": "s" * 36, "CRM_SECRET_OLD": "t" * 36}


def load(folder: Path, text: str, name: str = "main", env: dict[str, str] = ENV, **more: bool):  # type: ignore[no-untyped-def]
    (folder / f"{name}.toml").write_text(text)
    return load_connections(folder, env, **more)


LOGIN = """
[writeback]
mode = "on"
token_env = "CRM_SECRET"
url = "https://example.crm4.dynamics.com"
client_id = "an application"
token_url = "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"
[writeback.models.lead-fit]
object = "contact"
score = "new_fit"
"""


DYNAMICS = GOOD.replace('"hubspot"', '"dynamics"').replace(
    "portal_ids = [62515]", 'organizations = ["6042BEB1-a93a-4f8e-8e4b-00224802c699"]'
)
