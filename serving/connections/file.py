"""The file of a connection as pydantic models, which report all faults at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from features.kit.errors import Fault
from features.outcomes.catalog import OUTCOMES
from features.sources.schema import TABLES
from serving.connections.faults import TomlTable, fail, faults_of, place_of, says
from serving.connections.writeback import FIELDS, ModelTable, WriteBackTable, faults_across, senders, split_url
from serving.vendors.outbound import Outbound
from serving.vendors.registry import VENDORS, Vendor

INBOUND_KEYS = (
    "public_url",
    "secret_env",
    "secret_envs",
    "secret_files",
    "portal_ids",
    "older_signatures",
    "organizations",
)
"""Keys about webhooks: faults for a vendor that sends none."""
_STATES = [table.name for table in TABLES.values() if table.kind == "state"]
_NAMES = says(
    "names of the environment variables that hold the CRM's client secret, never the secret itself",
    'write secret_envs = ["HUBSPOT_CLIENT_SECRET"]',
    secret=True,
)
_FILES = says("paths of files that hold one secret each", 'write secret_files = ["/run/secrets/hubspot"]', secret=True)
Text = Annotated[str, Field(min_length=1)]


def _content(info: ValidationInfo) -> Mapping[str, Any]:
    content: Mapping[str, Any] = info.context["content"]  # type: ignore[index]
    return content


def _receives(info: ValidationInfo) -> bool:
    vendor: Vendor | None = info.context["found"]  # type: ignore[index]
    return vendor is None or vendor.inbound is not None


def _vendor(value: Any) -> str:
    if not isinstance(value, str) or value not in VENDORS:
        fail(repr(value), f"one of {', '.join(VENDORS)}", "write one of them")
    return value


def _public_url(value: Any, info: ValidationInfo) -> str:
    if value is None and not _receives(info):
        return ""
    parts = split_url(value)
    if parts is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        rule = "the address of this service as the CRM calls it, with https:// and without /webhooks/..."
        # It may hold a password or a key, so it is not repeated.
        shown = "is none" if isinstance(value, str) and ("@" in value or "?" in value) else repr(value)
        fail(shown, rule, 'write public_url = "https://scores.example.com"')
    return str(value).rstrip("/")


def _organizations(value: Any, info: ValidationInfo) -> tuple[str, ...]:
    found: Vendor | None = info.context["found"]  # type: ignore[index]
    if found is None or found.inbound is None:
        return ()
    form = found.inbound.organization
    if form is None:
        if value:
            fail(f"is there for {_content(info)['vendor']}", "only for vendors that sign nothing", "remove it")
        return ()
    if not isinstance(value, list) or not value or not all(isinstance(o, str) and form.fullmatch(o) for o in value):
        rule = f"a list of the ids of the organisations that may send, each {form.pattern}"
        shown = [] if value == () else value
        fail(repr(shown), rule, "copy the id from the organisation's settings")
    return tuple(found.inbound.same(each) for each in value)


def _table(value: Any) -> str:
    if value not in _STATES:
        fail(repr(value), f"one of {', '.join(_STATES)}", "write one of them")
    return str(value)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _once(key: str) -> str:
    if key.count("{id}") != 1:
        raise ValueError
    return key


def _column(value: Any, info: ValidationInfo) -> str:
    table = TABLES.get(info.data.get("table", ""))
    if table is None:  # its own fault says so
        return ""
    changeable = [column.name for column in table.columns if column.name not in (table.key, "event_time")]
    if value not in changeable:
        fail(repr(value), f"a column of {table.name}: {', '.join(changeable)}", "mend its name")
    return str(value)


def _outcome(value: Any, info: ValidationInfo) -> str:
    table = TABLES.get(info.data.get("table", ""))
    if table is None:  # its own fault says so
        return ""
    words = [word for outcome in OUTCOMES.values() if table.column(f"{outcome.entity}_id") for word in outcome.told_as]
    if value not in words:
        rule = f"an outcome that a row of {table.name} tells: {', '.join(words) or 'none'}"
        fail(repr(value), rule, "write one of them" if words else "remove it")
    return str(value)


def _record_url(value: Any) -> str | None:
    parts = split_url(value)
    plain = isinstance(value, str) and value.isascii() and value.isprintable() and not set(value) & set(' "<>\\')
    if (
        parts is None
        or not plain
        or parts.scheme != "https"
        or parts.username is not None
        or parts.password is not None
        or value.count("{id}") != 1
        or "{id}" in parts.netloc
    ):
        # It may hold a password, so it is not repeated.
        rule = "an https:// address without a user in it, and {id} once after the host"
        fail("is none", rule, 'write record_url = "https://crm.example.com/records/{id}"')
    return str(value)


PropertyName = Annotated[str, PlainValidator(_column)]


class ObjectTable(TomlTable):
    """`[objects.NAME]`: maps one kind of object in the CRM to one of our tables."""

    table: Annotated[str, PlainValidator(_table)] = Field(None, validate_default=True)
    key: Annotated[str, AfterValidator(_once), says("a text with {id} in it once", 'write key = "{id}"')] = "{id}"
    columns: dict[str, PropertyName] = Field(default_factory=dict)
    values: dict[PropertyName, Annotated[dict[str, str], says("a table of theirs = ours, both text", "mend it")]] = (
        Field(default_factory=dict)
    )
    outcomes: dict[str, dict[str, Annotated[str, PlainValidator(_outcome)]]] = Field(default_factory=dict)
    record_url: Annotated[str | None, PlainValidator(_record_url)] = None


class ConnectionFile(TomlTable):
    """A connection's file: its keys stand at the head of `serving/connections/config.py`. Needs the validation context
    that `read_file` makes."""

    vendor: Annotated[str, PlainValidator(_vendor)] = Field(None, validate_default=True)
    public_url: Annotated[str, PlainValidator(_public_url)] = Field(None, validate_default=True)
    secret_env: Annotated[list[Text] | None, BeforeValidator(_listed), _NAMES] = None
    secret_envs: Annotated[list[Text] | None, BeforeValidator(_listed), _NAMES] = Field(None, validate_default=True)
    secret_files: Annotated[list[Text], _FILES] = Field(default_factory=list)
    source: Annotated[Text, says("the name or the folder of a source", 'write source = "sample"')] = Field(
        None, validate_default=True
    )
    data: Annotated[
        Annotated[str, Field(pattern=r"^[^\x00]*$")] | None, says("a folder, as text", "put it in quotes")
    ] = None
    settle_seconds: Annotated[float, Field(ge=0, le=3600), says("a number of seconds from 0 to 3600", "write 1.0")] = (
        1.0
    )
    portal_ids: Annotated[list[int], says("a list of whole numbers", "write portal_ids = [62515]")] = Field(
        default_factory=list
    )
    older_signatures: Annotated[bool, says("true or false", "write older_signatures = false")] = False
    organizations: Annotated[tuple[str, ...], PlainValidator(_organizations)] = Field((), validate_default=True)
    objects: dict[str, ObjectTable] = Field(None, validate_default=True)
    writeback: WriteBackTable | None = None

    @field_validator("objects", mode="before")
    @classmethod
    def _some(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not value:
            rule = "says which objects of the CRM are which tables"
            fail("is missing or empty", rule, "write [objects.contact] with table = ...")
        return value

    @field_validator("secret_envs", mode="after")
    @classmethod
    def _one_at_least(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        content = _content(info)
        named = value or (value is None and (content.get("secret_env") or content.get("secret_files")))
        if not named and _receives(info):
            rule = "names of the environment variables that hold the CRM's client secret, never the secret itself"
            fail(type(value).__name__, rule, 'write secret_envs = ["HUBSPOT_CLIENT_SECRET"]')
        return value


class _Unknown(Outbound):
    """Stands in for an unknown vendor, so that faults that hold for every vendor are reported too."""

    default_url = "https://"
    login_path = "/"
    finds_by_external_id = True
    writes_properties = False


def read_file(path: Path, content: dict[str, Any]) -> tuple[ConnectionFile | None, list[Fault]]:
    """The file's models, or all of its faults."""
    name = content.get("vendor")
    vendor = VENDORS.get(name) if isinstance(name, str) else None
    outbound = vendor.outbound if vendor else _Unknown
    faults = list(_across(str(path), name, vendor, content))
    if outbound is None:  # has its fault already
        content = {key: value for key, value in content.items() if key != "writeback"}
    written = content.get("writeback")
    context = {
        "content": content,
        "vendor": name,
        "found": vendor,
        "outbound": outbound,
        "writeback": written if isinstance(written, dict) else {},
    }
    try:
        read = ConnectionFile.model_validate(content, context=context)
    except ValidationError as error:
        return None, faults + list(faults_of(error, str(path), lambda place: _keys(place, vendor)))
    return (None if faults else read), faults


def _across(file: str, name: Any, vendor: Vendor | None, content: Mapping[str, Any]) -> Iterator[Fault]:
    """Faults between the vendor and the rest of the file: a direction that it does not have, objects that it does not
    know."""
    outbound = vendor.outbound if vendor else _Unknown
    if outbound is not None:
        yield from faults_across(content, outbound, file)
    elif "writeback" in content:
        yield Fault(
            where=f"{file}, [writeback]",
            found=f"is there for {name}",
            rule=f"only for {', '.join(senders())}",
            next_step="remove it",
        )
    inbound = vendor.inbound if vendor else None
    if vendor is not None and inbound is None:
        receivers = [each for each, known in VENDORS.items() if known.inbound]
        for key in INBOUND_KEYS:
            if key in content:
                yield Fault(
                    where=f"{file}, key {key}",
                    found=f"is there for {name}",
                    rule=f"only for {', '.join(receivers)}",
                    next_step="remove it",
                )
    objects = content.get("objects")
    if inbound is not None and inbound.object_types and isinstance(objects, dict):
        for each in sorted(objects.keys() - set(inbound.object_types)):
            where = f"{file}, {place_of(('objects', each))}"
            yield Fault(
                where=where,
                found="no such object",
                rule=f"one of {', '.join(inbound.object_types)}",
                next_step="mend its name",
            )


def _keys(place: Sequence[str], vendor: Vendor | None) -> Sequence[str]:
    """The keys that a table may have."""
    if not place:
        return list(ConnectionFile.model_fields)
    if place[0] == "objects":
        return list(ObjectTable.model_fields)
    if len(place) == 1:
        return list(WriteBackTable.model_fields)
    finds = vendor and vendor.outbound and vendor.outbound.finds_by_external_id
    return list(ModelTable.model_fields) if finds else ["object", *FIELDS]
