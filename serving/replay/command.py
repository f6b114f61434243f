"""`python -m serving replay ID`."""

from __future__ import annotations

from typing import Annotated

import typer

from serving.errors import ServingError


def replay(record_id: Annotated[int, typer.Argument(help="The id of a decision record.", metavar="ID")]) -> None:
    """Score a decision record again and compare to the bit; exit code 1 when anything differs."""
    from features.kit.clock import from_us, iso, system_us
    from serving.audit_log.entry import Entry, command
    from serving.audit_log.service import append_reading
    from serving.replay import service
    from serving.scorer_cache import KeptScorers
    from serving.settings import ServingSettings
    from serving.store.connect import open_store

    settings = ServingSettings.from_env()
    store = open_store(settings.base.store_url)
    store.require_revision()
    done = service.replay(store, KeptScorers(settings.base.home), record_id)
    record = done.record
    after = {"decision": record_id, "same": done.same, "recorded_at": record["recorded_at"]}
    entry = Entry(command("replay"), "replay", record["entity"], record["entity_id"], None, after)
    why = append_reading(store, settings.base.home, entry, system_us())
    store.close()
    if why is not None:
        typer.echo(f"this replay is not in the audit log: {why}", err=True)
    typer.echo(
        f"{record['model']} version {record['version']} scorer {record['scorer'][:16]} as of {iso(from_us(record['as_of']))}"
    )
    if record["no_score"]:
        typer.echo(f"no score: {record['no_score']}")
    else:
        typer.echo(f"recorded  probability {record['probability']!r}  score {record['score']}  band {record['band']}")
        typer.echo(f"replayed  probability {done.probability!r}  score {done.score}  band {done.band}")
    if not done.same:
        raise ServingError("not the same: the record, its inputs or its scorer were changed")
    typer.echo("the same to the bit")
