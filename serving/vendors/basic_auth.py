"""HTTP Basic authentication, for vendors that sign nothing and log in with a user and a password (RFC 7617).

It proves who calls, and nothing about the body or the time; TLS protects it. A connection's secret is `user:password`,
as in the header; it has two while a password rotates.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence

from serving.vendors.inbound import Delivery, Form

CHALLENGE = 'Basic realm="webhooks", charset="UTF-8"'
LOGIN = Form(
    re.compile(r"[^:\x00-\x1f\x7f]+:[^\x00-\x1f\x7f]{16,}"),
    "the user and the password as user:password, the password of at least 16 characters",
)


def has_login(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """Whether the delivery has one `Authorization` header, of scheme Basic, with one of the secrets (`user:password`).
    Never raises."""
    scheme, _, encoded = delivery.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return False
    # Only the canonical form: base64 has other spellings of the same bytes.
    canonical = base64.b64encode(given) == encoded.encode("ascii")
    digest, good = hashlib.sha256(given).digest(), False
    for secret in secrets:  # all secrets, as digests, so that the time tells neither which one matched nor its length
        good |= hmac.compare_digest(hashlib.sha256(secret.encode()).digest(), digest)
    return good and canonical
