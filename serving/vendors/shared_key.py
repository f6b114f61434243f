"""A secret that a vendor repeats with every call, for vendors that sign nothing: in a header or in the query.

It says who calls and nothing of what is sent or when; TLS keeps it. The service logs routes and never a query; a proxy in
front must be told to leave it out of its log too. Where a proxy checks the vendor's client certificate (mTLS), it can add
the header itself, and the vendor then knows no secret.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from serving.vendors.inbound import Delivery

HEADER = "x-webhook-key"


def has_key(delivery: Delivery, secrets: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the delivery carries exactly one key, in `HEADER` or in a part of the query of these names, and it is one of
    the secrets. Never raises."""
    given = [value.encode("utf-8", "backslashreplace") for name, value in delivery.headers.items() if name == HEADER]
    for part in delivery.uri.partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if name in names:
            given.append(unquote_to_bytes(value))  # + stays +, as in base64
    if len(given) != 1:  # of two, which one was meant cannot be known
        return False
    digest, good = hashlib.sha256(given[0]).digest(), False
    for secret in secrets:  # all of them, and digests, so that the time taken tells neither which one nor its length
        good |= hmac.compare_digest(hashlib.sha256(secret.encode()).digest(), digest)
    return good
