"""A secret that a vendor repeats with every call, for vendors that sign nothing: in a header or in the query.

It proves who calls, and nothing about the body or the time; TLS protects it. The service logs routes and never a query;
configure a proxy in front to leave the query out of its log too. A proxy that checks the vendor's client certificate
(mTLS) can add the header itself; the vendor then needs no secret.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from serving.vendors.inbound import Delivery

HEADER = "x-webhook-key"


def has_key(delivery: Delivery, secrets: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the delivery has exactly one key, in `HEADER` or in a query parameter of one of the `names`, and it is
    one of the secrets. Never raises."""
    given = [value.encode("utf-8", "backslashreplace") for name, value in delivery.headers.items() if name == HEADER]
    for part in delivery.uri.partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if name in names:
            given.append(unquote_to_bytes(value))  # + stays +, as in base64
    if len(given) != 1:  # with two keys nobody can know which one was meant
        return False
    digest, good = hashlib.sha256(given[0]).digest(), False
    for secret in secrets:  # all secrets, as digests, so that the time tells neither which one matched nor its length
        good |= hmac.compare_digest(hashlib.sha256(secret.encode()).digest(), digest)
    return good
