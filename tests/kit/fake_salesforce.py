"""A small Salesforce: sObject Collections and single records, as strict about types and ids as the real one."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.vendors.salesforce.inbound import long_id
from tests.kit.fake_crm import Answer, FakeCrm, Tokens, Wire, running_crm

FIELDS: dict[str, type | tuple[type, ...]] = {
    "Fit__c": (int, float),
    "Fit_Band__c": str,
    "Fit_Probability__c": (int, float),
    "Fit_Reasons__c": str,
    "Fit_At__c": str,
    "Industry": str,
}
_COLLECTION = re.compile(r"/services/data/v[0-9]{2}\.0/composite/sobjects(?:/(\w+)/(\w+))?")
_RECORD = re.compile(r"/services/data/v[0-9]{2}\.0/sobjects/(\w+)/(\w+)")
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


@dataclass
class FakeSalesforce(FakeCrm):
    tokens: Tokens = field(default_factory=Tokens)
    keys: dict[str, str] = field(default_factory=dict)
    """Value of Accountscore_Id__c to the id of its record; the upsert makes one for a value that is new."""
    locked: set[str] = field(default_factory=set)
    """Record ids whose row is locked."""

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        if (method, path) == ("POST", "/services/oauth2/token"):
            return self.tokens.login(headers, body)
        bad = self.begin()
        if bad == "drop":
            return None
        if isinstance(bad, tuple):
            return bad
        if not self.tokens.may(headers):
            return _refused(401, "INVALID_SESSION_ID")
        collection, one = _COLLECTION.fullmatch(path), _RECORD.fullmatch(path)
        if method == "GET" and one:
            with self.lock:
                found = self.values.get(long_id(one[2]))
            return (
                _json(200, {"attributes": {"type": one[1]}, "Id": one[2], **found})
                if found
                else _refused(404, "NOT_FOUND")
            )
        if method != "PATCH" or not collection:
            return _refused(404, "NOT_FOUND")
        answer = self.collection(body, collection[1], collection[2])
        return None if bad == "lose" else answer

    def collection(self, body: bytes, kind: str | None, by: str | None) -> Answer:
        try:
            content = json.loads(body)
            records, keys = content["records"], {"allOrNone", "records"}
            if content.keys() != keys or content["allOrNone"] is not False or not isinstance(records, list):
                raise ValueError
            kinds = {record["attributes"]["type"] for record in records}
            names = {"attributes", by or "id"}
        except (ValueError, TypeError, KeyError):
            return _refused(400, "JSON_PARSER_ERROR")
        if not 1 <= len(records) <= 200:
            return _refused(400, "INVALID_INPUT")
        if kinds != {"Lead"} or kind not in (None, "Lead") or by not in (None, "Accountscore_Id__c"):
            return _refused(400, "INVALID_TYPE")
        for record in records:
            if not names <= record.keys():
                return _refused(400, "MISSING_ARGUMENT")
            for name, value in record.items():
                if name in names:
                    continue
                if name not in FIELDS:
                    return _refused(400, "INVALID_FIELD")
                if value is not None and (not isinstance(value, FIELDS[name]) or isinstance(value, bool)):
                    return _refused(400, "JSON_PARSER_ERROR")
            if not by and (not _ID.fullmatch(record["id"]) or long_id(record["id"]) in self.invalid):
                return _refused(400, "MALFORMED_ID")
        with self.lock:
            self.calls_at_once.append(len(records))
            found = [record[by or "id"] for record in records]
            rows = [self._row(record, names, by, found) for record in records]
        return _json(200, rows)

    def _row(self, record: dict[str, Any], names: set[str], by: str | None, found: list[str]) -> dict[str, Any]:
        made = bool(by) and record[by] not in self.keys  # type: ignore[index]
        new = f"00Q{len(self.keys):012d}EAA"
        object_id = self.keys.setdefault(record[by], new) if by else long_id(record["id"])
        code = None
        if found.count(record[by or "id"]) > 1:
            code = "DUPLICATE_VALUE"
        elif object_id in self.unknown:
            code = "ENTITY_IS_DELETED"
        elif object_id in self.locked:
            code = "UNABLE_TO_LOCK_ROW"
        if code:
            return {"success": False, "errors": [{"statusCode": code, "message": "in words", "fields": []}]}
        self.keep(Wire("", object_id, {k: v for k, v in record.items() if k not in names}))
        return {"id": object_id, "success": True, "errors": [], **({"created": made} if by else {})}


def _json(status: int, content: object) -> Answer:
    return status, {"content-type": "application/json;charset=UTF-8"}, json.dumps(content).encode()


def _refused(status: int, code: str) -> Answer:
    return _json(status, [{"message": "in words", "errorCode": code}])


@contextlib.contextmanager
def fake_salesforce(port: int = 0, certificate: Path | None = None) -> Iterator[FakeSalesforce]:
    """Runs until the block ends."""
    with running_crm(FakeSalesforce(), port, certificate) as fake:
        yield fake
