"""A connection of standard webhooks, and an event that it takes, signed by the vendor's own library."""

from __future__ import annotations

import base64
import datetime as dt
import json
import time

import httpx
from standardwebhooks.webhooks import Webhook

from tests.kit.inside import Client

SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()
CONNECTION = """
vendor = "standard-webhooks"
public_url = "https://scores.example.com"
secret_envs = ["STATUS_SECRET"]
source = "sample"
[objects.company]
table = "accounts"
columns = { industry = "industry" }
"""


def hook(client: Client, number: str, connection: str = "crm") -> httpx.Response:
    data = {"object": "company", "id": "7", "properties": {"industry": "software"}}
    body = json.dumps({"type": "company.updated", "timestamp": "2025-12-01T00:00:00Z", "data": data})
    moment = dt.datetime.fromtimestamp(int(time.time()), dt.UTC)
    headers = {
        "webhook-id": number,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(number, moment, body),
        "content-type": "application/json",
    }
    return client.request("POST", f"/webhooks/{connection}", content=body, headers=headers)
