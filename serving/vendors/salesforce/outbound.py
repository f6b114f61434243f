"""Writes scores to Salesforce: sObject Collections, 200 records a call, with a result for each record inside a 200.

A record is found by its id (`PATCH .../composite/sobjects`) or, where the connection has `external_id`, by that field
(`PATCH .../composite/sobjects/{type}/{field}`, an upsert).

Source: Salesforce, "REST API Developer Guide: sObject Collections". simple-salesforce is not used: it has no call for
collections, hides the headers of an error (Retry-After), and logs in differently. In the tests it reads what we wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from serving.vendors.calls import CallFailed
from serving.vendors.outbound import Outbound, Write, WriteResult, one_call

if TYPE_CHECKING:
    import httpx

VERSION = "v62.0"
AGAIN = (
    "UNABLE_TO_LOCK_ROW",
    "SERVER_UNAVAILABLE",
    "REQUEST_RUNNING_TOO_LONG",
    "REQUEST_LIMIT_EXCEEDED",
    "QUERY_TIMEOUT",
    "UNKNOWN_EXCEPTION",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",  # a trigger failed; often on a lock of its own
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "PROCESSING_HALTED",
)
"""Status codes of a row for which a retry can help. All others are about the record or the field."""


class Salesforce(Outbound):
    """See `serving.vendors.outbound.Outbound`."""

    batch = 200
    login_path = "/services/oauth2/token"
    finds_by_external_id = True
    strict_types = True
    # The name appears in changeOrigin of change events, so that others can tell our writes from a person's.
    headers: ClassVar[Mapping[str, str]] = {"Sforce-Call-Options": "client=accountscore"}

    def send(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        # A call has one type and one way to find records, and each record once.
        field = self._field(writes[0])
        together = [write for write in one_call(writes) if self._field(write) == field]
        first = together[0].object_type
        records = []
        for write in together:
            found = {field: write.entity_id} if field else {"id": write.object_id}
            records.append({"attributes": {"type": first}, **found, **self.values(write)})
        url = f"{self._config.url}/services/data/{VERSION}/composite/sobjects" + (f"/{first}/{field}" if field else "")
        answer = self.call("PATCH", url, json={"allOrNone": False, "records": records})
        outcomes = dict(zip((write.key for write in together), _outcomes(len(together), answer), strict=True))
        return [outcomes.get(write.key, WriteResult("retry")) for write in writes]

    def _field(self, write: Write) -> str | None:
        target = self.target(write)
        return target.external_id if target else None


def _outcomes(count: int, answer: httpx.Response) -> list[WriteResult]:
    """Results in the order of the call. The status 200 says nothing about them."""
    try:
        rows = answer.json()
        if not isinstance(rows, list) or len(rows) != count:
            raise ValueError
        return [_outcome(row) for row in rows]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise CallFailed("the answer is not what the API's description says") from None


def _outcome(row: dict[str, Any]) -> WriteResult:
    if row["success"] is True:
        return WriteResult("sent")
    code = str(row["errors"][0]["statusCode"])[:60]
    return WriteResult("retry" if code in AGAIN else "dead", code)
