"""simple-salesforce, a library of others, as a client of the fake Salesforce; it insists on TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests
from simple_salesforce import Salesforce as SimpleSalesforce  # type: ignore[attr-defined]

from tests.kit.fake_salesforce import FakeSalesforce


def local(crm: FakeSalesforce) -> str:
    """The fake's address by name, which is what its certificate is for."""
    return crm.url.replace("127.0.0.1", "localhost")


def stranger(crm: FakeSalesforce, pem: Path) -> Any:
    session = requests.Session()
    session.trust_env, session.verify = False, str(pem)
    return SimpleSalesforce(instance_url=local(crm), session_id=crm.tokens.secret, session=session)
