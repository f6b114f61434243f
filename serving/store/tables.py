"""The tables of the store. A change here needs a migration in `migrations/versions` and a new `REVISION`.

Times are microseconds since 1970 UTC: exact, and the same in every database.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from serving.store.text import SortedText, StoredText

REVISION = "0016"
"""The newest migration; the API and the worker start only on a store that has it."""

metadata = MetaData()
# SQLite counts rows up by itself only where the key is called INTEGER.
Counted = BigInteger().with_variant(Integer(), "sqlite")


def _where(condition: str) -> dict[str, Any]:
    """Keywords of an index of some rows, for both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


signals = Table(
    "signals",
    metadata,
    Column("entity", StoredText, nullable=False),
    Column("entity_id", StoredText, nullable=False),
    Column("as_of", BigInteger, nullable=False, comment="the moment the signals are for"),
    Column(
        "eligibility",
        StoredText,
        nullable=False,
        comment="of the entity's usual outcome: 'eligible', or why there is no score",
    ),
    Column("value", Float(53), comment="yearly recurring revenue or expected deal size, currency units"),
    Column("signals", LargeBinary, nullable=False, comment="JSON object, name to number, text or null"),
    Column("origin", StoredText, nullable=False, comment="run id of a batch, or 'worker'"),
    PrimaryKeyConstraint("entity", "entity_id"),
    comment="the newest signals of each entity; written by the batch and the worker, read by the API",
)

eligibilities = Table(
    "eligibilities",
    metadata,
    Column("entity", StoredText, nullable=False),
    Column("entity_id", StoredText, nullable=False),
    Column("model", StoredText, nullable=False),
    Column("as_of", BigInteger, nullable=False, comment="that of the signals with which it was told"),
    Column("code", StoredText, nullable=False, comment="'eligible' or the code of why the model gives no score"),
    PrimaryKeyConstraint("entity", "entity_id", "model"),
    comment="who gets a score, per model; written together with the signals, and true of those of the same moment alone",
)

profiles = Table(
    "profiles",
    metadata,
    Column("entity", StoredText, nullable=False),
    Column("entity_id", StoredText, nullable=False),
    Column("as_of", BigInteger, nullable=False, comment="that of the signals with which it was written"),
    Column("name", StoredText, comment="of the company, never of a person; null: not known, as in all columns below"),
    Column("domain", StoredText, comment="of the company; null for a free mail provider's"),
    Column("owner", StoredText, comment="who of us looks after it"),
    Column("parent_id", StoredText, comment="account that the account or the lead belongs to"),
    Column("target_tier", StoredText, comment="tier on the list of target accounts"),
    Column(
        "segments", LargeBinary, nullable=False, comment="JSON object, segment column to text; unknown ones left out"
    ),
    Column("arr", Float(53), comment="yearly recurring revenue, currency units"),
    Column("renewal_at", BigInteger, comment="end of the agreed term of the paid contract that ends first"),
    Column("plan", StoredText, comment="of the paid contracts"),
    Column("acted_at", BigInteger, comment="when somebody last acted upon it, as the source says; notes are apart"),
    PrimaryKeyConstraint("entity", "entity_id"),
    Index("profiles_of_parent", "parent_id", **_where("parent_id IS NOT NULL")),
    comment="what people call an entity by; written together with its signals",
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=True),
    Column("model", StoredText, nullable=False),
    Column("entity", StoredText, nullable=False),
    Column("entity_id", StoredText, comment="null when a request gave signals alone"),
    Column("as_of", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("cause", StoredText, nullable=False, comment="request, what_if, webhook, batch or backfill"),
    Column("run_id", StoredText, comment="the batch run, else null"),
    Column("version", Integer),
    Column("scorer", StoredText, nullable=False, comment="sha256 of the scorer's manifest"),
    Column("probability", Float(53)),
    Column("score", Integer),
    Column("band", StoredText),
    Column("no_score", StoredText, comment="code, where there is no score"),
    Column("value", Float(53)),
    Column(
        "reasons",
        LargeBinary,
        nullable=False,
        comment="JSON list of lists: signal, theme, value, direction, effect, share, text",
    ),
    Column("inputs", LargeBinary, nullable=False, comment="JSON list: which signals, their values (Scorer.pack)"),
    Column("inputs_sha256", StoredText, nullable=False),
    Column(
        "old_rows",
        LargeBinary,
        comment="JSON list of lists: an earlier as_of, what the rows known before it give now and then, where that differs",
    ),
    # Without the rows that nobody looks up that way: those of a request that gave signals alone are in neither.
    Index("decisions_of_entity", "entity", "entity_id", "as_of", "id", **_where("entity_id IS NOT NULL")),
    Index("decisions_of_run", "run_id", **_where("run_id IS NOT NULL")),
    comment="what was scored, when, by which version, with what inputs and reasons",
)

latest_scores = Table(
    "latest_scores",
    metadata,
    # What lists filter and sort by comes first: SQLite reads a row from its beginning.
    Column("model", SortedText, nullable=False),
    Column("entity_id", SortedText, nullable=False),
    Column("band", SortedText),
    Column("probability", Float(53)),
    Column("score", Integer),
    Column("change", Integer, comment="score minus that of the nightly run before; null: one of them is not known"),
    Column("value", Float(53), comment="yearly recurring revenue or expected deal size, currency units"),
    Column("at_stake", Float(53), comment="probability x value, currency units"),
    Column("no_score", SortedText, comment="code, where there is no score"),
    Column("first_theme", SortedText, comment="of the strongest reason"),
    Column("renewal_at", BigInteger, comment="copy of the profile's, as all columns to search_text"),
    Column("owner", SortedText),
    Column("name_key", SortedText, comment="the name without case"),
    Column("search_text", StoredText, nullable=False, comment="words of name and domain (serving.store.search_terms)"),
    Column("entity", StoredText, nullable=False),
    Column("as_of", BigInteger, nullable=False, comment="that of the decision record"),
    Column("recorded_at", BigInteger, nullable=False),
    Column("version", Integer),
    Column("run_as_of", BigInteger, comment="of the newest nightly run that scored it; null: none did"),
    Column("run_score", Integer, comment="the score of that run, for the change of the next"),
    Column("first_signal", StoredText, comment="of the strongest reason"),
    Column("first_text", StoredText, comment="the strongest reason as a sentence"),
    Column("acted_at", BigInteger, comment="copy of the profile's"),
    PrimaryKeyConstraint("model", "entity_id"),
    # One index a sort; each also finds the rows of a rare filter. That of bands sorts by score, probability and band. Those
    # that each night rewrites anyway have band and theme behind: a list that is filtered by them reads only what it shows.
    Index("latest_by_band", "model", "band", "probability", "entity_id", "first_theme"),
    Index("latest_by_change", "model", "change", "entity_id", "band", "first_theme"),
    Index("latest_by_value", "model", "value", "entity_id"),
    Index("latest_by_at_stake", "model", "at_stake", "entity_id", "band", "first_theme"),
    Index("latest_by_theme", "model", "first_theme", "entity_id"),
    Index("latest_by_no_score", "model", "no_score", "entity_id"),
    Index("latest_by_renewal", "model", "renewal_at", "entity_id"),
    Index("latest_by_owner", "model", "owner", "entity_id"),
    Index("latest_by_name", "model", "name_key", "entity_id"),
    Index("latest_acted", "model", "entity_id", **_where("acted_at IS NOT NULL")),
    comment="the newest score of each entity by each model, as lists show it; written together with the decision record",
)

profile_terms = Table(
    "profile_terms",
    metadata,
    Column("entity", SortedText, nullable=False),
    Column("term", SortedText, nullable=False, comment="a word of name or domain, or a segment column with its value"),
    Column("entity_id", SortedText, nullable=False),
    PrimaryKeyConstraint("entity", "term", "entity_id"),
    sqlite_with_rowid=False,
    comment="where lists look up rare words and segments; written together with the profile",
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=True),
    Column("connection", StoredText, nullable=False),
    Column("dedupe_key", StoredText, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("kind", StoredText, nullable=False, comment="the vendor's name of the event"),
    Column("object_type", StoredText, nullable=False),
    Column("object_id", StoredText, nullable=False),
    Column("property", StoredText),
    Column("value", StoredText),
    Column(
        "effect", StoredText, nullable=False, server_default="change", comment="create, change, delete, merge or forget"
    ),
    Column("into", StoredText, comment="of a merge: the record that remains"),
    Column("state", StoredText, nullable=False, comment="waiting, applied, scored, kept, echo, erased or failed"),
    Column("detail", StoredText, comment="why it failed; no values"),
    Column("entity", StoredText, comment="the entity it made dirty, set when applied"),
    Column("entity_id", StoredText),
    Column("scored_as_of", BigInteger, comment="as_of of the decision that ended the work on it"),
    UniqueConstraint("connection", "dedupe_key", name="inbox_once"),
    Index("inbox_by_state", "state", "id"),
    Index("inbox_of_entity", "entity", "entity_id", "state"),
    Index("inbox_of_connection", "connection", "id"),
    comment="authentic events of CRMs, stored before they are answered",
)

changes = Table(
    "changes",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=True),
    Column("source", StoredText, nullable=False),
    Column("table_name", StoredText, nullable=False, comment="canonical table"),
    Column("key", StoredText, nullable=False),
    Column("event_time", BigInteger, nullable=False),
    Column("known_time", BigInteger, nullable=False),
    Column(
        "columns", LargeBinary, nullable=False, comment="JSON object: canonical column to value as the CRM wrote it"
    ),
    Column("account_id", StoredText, comment="account that the row belongs to, as far as it is known"),
    Column("lead_id", StoredText, comment="lead that the row belongs to"),
    Column("inbox_id", BigInteger, comment="the event it came from"),
    Index("changes_of_account", "source", "account_id"),
    Index("changes_of_lead", "source", "lead_id"),
    comment="versions of rows that CRMs told us of since the source was read",
)

dirty = Table(
    "dirty",
    metadata,
    Column("source", StoredText, nullable=False),
    Column("entity", StoredText, nullable=False),
    Column("entity_id", StoredText, nullable=False),
    Column("generation", BigInteger, nullable=False, comment="counts changes: scored only if none came meanwhile"),
    Column("due_at", BigInteger, nullable=False, comment="not scored before: the settle time of the connection"),
    Column("priority", Integer, nullable=False, server_default="0", comment="0 a webhook's, 2 a backlog's"),
    Column("run_id", StoredText, comment="of the backlog that it is a part of"),
    Column("error", StoredText, comment="why it was set aside: not scored before it changes or is put back; no values"),
    PrimaryKeyConstraint("source", "entity", "entity_id"),
    Index("dirty_by_due", "due_at"),
    Index("dirty_by_priority", "source", "priority", "due_at"),
    Index("dirty_set_aside", "source", **_where("error IS NOT NULL")),
    comment="entities whose signals changed since they were scored",
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", StoredText, primary_key=True, comment="the public part of the key"),
    Column(
        "name",
        StoredText,
        nullable=False,
        comment="who holds it: two keys of one name may be live, for a change of keys",
    ),
    Column("hash", StoredText, nullable=False, comment="HMAC-SHA-256 of the secret part under the home's pepper"),
    Column("scopes", StoredText, nullable=False, comment="words separated by spaces"),
    Column("requests_per_minute", Integer, comment="null: the setting of the server"),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, comment="null: never"),
    Column("revoked_at", BigInteger, comment="null: live"),
    Index("api_keys_of_name", "name"),
    comment="who may ask; the keys themselves are nowhere",
)

sessions = Table(
    "sessions",
    metadata,
    Column("id_hash", StoredText, primary_key=True, comment="HMAC-SHA-256 of the session's id under the home's pepper"),
    Column("how", StoredText, nullable=False, comment="key or oidc"),
    Column("key_id", StoredText, comment="the API key that it ends with; null: of an identity provider"),
    Column("person", StoredText, nullable=False, comment="how and as whom, such as key:3f2a9c"),
    Column("name", StoredText, nullable=False, comment="for people to read"),
    Column("scopes", StoredText, nullable=False, comment="words separated by spaces"),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False, comment="last use, to the minute: 60 minutes later it is over"),
    Column("ends_at", BigInteger, nullable=False, comment="over in any case"),
    comment="who is signed in to the page; the ids themselves are in browsers alone",
)

overrides = Table(
    "overrides",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=True),
    Column("model", StoredText, nullable=False),
    Column("entity", StoredText, nullable=False),
    Column("entity_id", StoredText, nullable=False),
    Column("band", StoredText, nullable=False, comment="the band that a person gives"),
    Column("reason", StoredText, nullable=False, comment="in that person's words"),
    Column("author", StoredText, nullable=False),
    Column("set_at", BigInteger, nullable=False),
    Column("until", BigInteger, comment="null: until it is withdrawn"),
    Column("withdrawn_at", BigInteger, comment="also set when another one takes its place"),
    Index("overrides_of_entity", "entity", "entity_id"),
    comment="what people put beside the machine's score",
)

objections = Table(
    "objections",
    metadata,
    Column("entity", StoredText, nullable=False),
    Column("id_hash", StoredText, nullable=False, comment="SHA-256 of entity and id"),
    Column("since", BigInteger, nullable=False),
    Column("taken_back_at", BigInteger, comment="null: it holds"),
    PrimaryKeyConstraint("entity", "id_hash"),
    comment="who objected to being scored",
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("kind", StoredText, nullable=False, comment="account, lead or contact"),
    Column("id_hash", StoredText, nullable=False, comment="SHA-256 of kind and id: what was erased is not named"),
    Column("erased_at", BigInteger, nullable=False),
    Column("taken_back_at", BigInteger, comment="null: it holds"),
    PrimaryKeyConstraint("kind", "id_hash"),
    comment="what was erased and must not come back by a late event or by the next batch",
)

notes = Table(
    "notes",
    metadata,
    Column("id", StoredText, primary_key=True, comment="SHA-256 of what makes it the same note"),
    Column("kind", StoredText, nullable=False, comment="outcome or action"),
    Column("entity", StoredText, nullable=False),
    Column("entity_id", StoredText, nullable=False),
    Column("word", StoredText, nullable=False, comment="won, lost or churned; or the kind of action"),
    Column("event_at", BigInteger, nullable=False, comment="when it happened"),
    Column("known_at", BigInteger, nullable=False, comment="when it was told: nobody knew it before"),
    Column("source", StoredText, nullable=False, comment="who or what told it: a system, a team, crm:CONNECTION"),
    Column("note", StoredText, comment="free text; null when there is none, or after retention"),
    Index("notes_of_entity", "entity", "entity_id", "event_at"),
    Index("notes_by_month", "known_at"),
    comment="outcomes and actions that people and CRMs told; published to the readers of sources (serving/notes)",
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key_hash", StoredText, primary_key=True, comment="SHA-256 of the caller and its Idempotency-Key"),
    Column("fingerprint", StoredText, nullable=False, comment="SHA-256 of method, path and body"),
    Column("begun_at", BigInteger, nullable=False),
    Column("status", Integer, comment="null while the first request is at work"),
    Column("content_type", StoredText),
    Column("body", LargeBinary, comment="the answer, given again to a repetition"),
    Index("idempotency_by_age", "begun_at"),
    comment="answers of requests that may be repeated",
)

generations = Table(
    "generations",
    metadata,
    Column("name", StoredText, primary_key=True),
    Column("value", BigInteger, nullable=False, comment="counted up with every change"),
    comment="tells running processes that keys, overrides, objections or tombstones changed",
)

writebacks = Table(
    "writebacks",
    metadata,
    Column("connection", StoredText, nullable=False),
    Column("model", StoredText, nullable=False),
    Column("entity_id", StoredText, nullable=False),
    Column("entity", StoredText, nullable=False),
    Column("object_type", StoredText, nullable=False),
    Column("object_id", StoredText, nullable=False),
    Column("score", Integer, comment="of the version that is to be written; null empties the field"),
    Column("band", StoredText, comment="with hysteresis, so it may differ from the decision's"),
    Column("content", LargeBinary, nullable=False, comment="JSON object: the score in our words"),
    Column("generation", BigInteger, nullable=False, comment="counts versions; the idempotency key is made of it"),
    Column("state", StoredText, nullable=False, comment="waiting, sent or dead"),
    Column("attempts", Integer, nullable=False),
    Column("queued_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False, comment="not sent before; system time"),
    Column("sent_at", BigInteger, comment="when a version of it was written last; null: none was"),
    Column("error", StoredText, comment="why the last attempt failed; no values"),
    Column(
        "priority",
        Integer,
        nullable=False,
        server_default="0",
        comment="0 a webhook's, 1 the nightly batch's, 2 a backlog's",
    ),
    PrimaryKeyConstraint("connection", "model", "entity_id"),
    Index("writebacks_by_due", "connection", "state", "due_at"),
    Index("writebacks_by_priority", "connection", "state", "priority", "due_at"),
    Index("writebacks_by_sent", "connection", "sent_at", **_where("sent_at IS NOT NULL")),
    comment="the newest score of each record that a CRM has or is to get: a later one takes the place of one that waits",
)

ledger = Table(
    "ledger",
    metadata,
    Column("connection", StoredText, nullable=False),
    Column("object_type", StoredText, nullable=False),
    Column("object_id", StoredText, nullable=False),
    Column("property", StoredText, nullable=False),
    Column("value", StoredText, nullable=False),
    Column("written_at", BigInteger, nullable=False, comment="system time of the last call that carried it"),
    PrimaryKeyConstraint("connection", "object_type", "object_id", "property", "value"),
    comment="what we wrote into CRMs, kept before the call is made: an event that tells us of it is our own echo",
)

removals = Table(
    "removals",
    metadata,
    Column("source", StoredText, nullable=False, comment="name of its folder"),
    Column("entity", StoredText, nullable=False),
    Column("id_hash", StoredText, nullable=False, comment="SHA-256 of entity and id"),
    Column("occurred_at", BigInteger, nullable=False, comment="of the newest event: one that is older changes nothing"),
    Column("state", StoredText, nullable=False, comment="deleted, merged or present"),
    Column("into", StoredText, comment="of a merge: the entity that remains"),
    PrimaryKeyConstraint("source", "entity", "id_hash"),
    Index("removals_of_entity", "entity", "id_hash"),
    comment="entities that a CRM deleted, merged away or brought back",
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", Counted, primary_key=True, autoincrement=False, comment="1, 2, 3 and so on, without a gap"),
    Column("at", BigInteger, nullable=False),
    Column("actor_kind", StoredText, nullable=False, comment="key, person, open or system"),
    Column("action", StoredText, nullable=False, comment="a word of serving.audit_log.entry.ACTIONS"),
    Column("object_kind", StoredText, nullable=False),
    Column("event", StoredText, comment="of what happened where there is no store: the id of its file in the home"),
    Column("actor", LargeBinary, comment="JSON object: id, name, salt; null once a retention run took it out"),
    Column("actor_sha256", StoredText, nullable=False),
    Column("details", LargeBinary, comment="JSON object: object, before, after, salt; null once they were taken out"),
    Column("details_sha256", StoredText, nullable=False),
    Column("subject", StoredText, comment="of an account, lead or contact: SHA-256 of kind and id; goes with details"),
    Column("hash", StoredText, nullable=False, comment="SHA-256 over the hash before it and what stays of this row"),
    UniqueConstraint("event", name="audit_log_once"),
    Index("audit_log_of_subject", "subject", **_where("subject IS NOT NULL")),
    Index("audit_log_by_action", "action", "seq"),
    comment="who did what, on what, when: a chain in which a changed, moved or missing row is found",
)
