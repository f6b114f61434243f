"""Putting a version live, and taking it back: alias, export and pointer, one promotion at a time.

A promotion names the champion that the version was compared with. When another version became champion meanwhile, the comparison
no longer holds and the promotion is refused: of two at once, one wins.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.kit.errors import AccountscoreError, UserMistake
from features.kit.settings import Settings
from features.kit.writable import told
from models import audit_spool, champion_pointer, registry, standing
from models.catalog import get_model
from models.scorer.scorer import Scorer
from models.scorer.verdict import require_not_refused
from training import overlap
from training.errors import ChampionChanged, PromotionRefused, SharedPopulation

if TYPE_CHECKING:
    from features.sources.source import Source

log = logging.getLogger("training.promote")
GATES, PASSED = "gates", "passed"
"""The tag of a version that says whether its gates held, and its value when they did."""


def promote(
    settings: Settings, model: str, version: int | None = None, source: str | None = None, data: Path | None = None
) -> dict[str, object]:
    """Make a version (the newest when None) champion, if its gates held when it was judged.

    `source` and `data` are those in which accounts are counted that another live model of its outcome is for too; by default the
    source that it was trained on. Raises `PromotionRefused` (exit code 3) with the failed gates, `UserMistake` for an unknown version.
    """
    name = get_model(model).name
    registry.require_writable(settings)
    present = champion_version(settings, name)
    found = registry.get_version(settings, name, version)
    verdict = (found.tags or {}).get(GATES, "never judged")
    if verdict != PASSED:
        _refused(settings, name, found.version, verdict, present)
        raise PromotionRefused(
            f"version {found.version} of {name} is not promoted, its gates say: {verdict}. "
            f"The numbers are in its run {found.run_id} and in report.json; train a better one, or mend what the gate names"
        )
    _beats_its_rule(settings, name, found, present)
    return promote_version(settings, name, found.version, present, _opened(source, data))


def _opened(source: str | None, data: Path | None) -> Source | None:
    if source is None:
        return None
    from features.sources.loader import open_source

    return open_source(source, data, keep_going=True)


def _beats_its_rule(settings: Settings, name: str, version: registry.Version, present: int | None) -> None:
    """Raises `PromotionRefused` when the figures kept with a version do not show it better than one column beyond noise.

    Until 2026-11 a version passed that was merely better than a strong rule, so that its tag alone does not say.
    """
    if not get_model(name).gates.beat_rule:
        return
    with tempfile.TemporaryDirectory() as scratch:
        metrics: dict[str, Any] = Scorer.load(registry.download(settings, version, Path(scratch))).spec.metrics
    rule = metrics.get("one_column_rule")
    if not rule or rule["difference"]["low"] > 0:
        return
    d, said = rule["difference"], f"a single rule is enough: {rule.get('rule', rule['signal'])}"
    _refused(settings, name, version.version, said, present)
    raise PromotionRefused(
        f"version {version.version} of {name} is not promoted, {said} (AUC {rule['auc']:.3f}); the version has {d['value']:+.3f} "
        f"({d['low']:+.3f} to {d['high']:+.3f}), and must be better beyond noise: rank by the rule, or train a better one"
    )


def champion_version(settings: Settings, name: str) -> int | None:
    """The version that has the alias champion, None when there is none."""
    found = registry.by_alias(settings, name, registry.CHAMPION)
    return None if found is None else found.version


def promote_version(
    settings: Settings,
    name: str,
    version: int,
    instead_of: int | None,
    source: Source | None = None,
    action: str = standing.PROMOTED,
    *,
    command: str = "training promote",
) -> dict[str, object]:
    """Alias, export and pointer under the lock; the gates are the caller's business.

    `instead_of` is the champion (None: none) that the version was compared with; raises `PromotionRefused` when another one
    is champion by now, or another live model of its outcome is for some of the same (`training.overlap`). The alias is set first and the pointer last: what breaks between the two is completed by
    `python -m serving sync`.
    """
    definition = get_model(name)
    with (
        champion_pointer.locked(settings.home, name),
        overlap.one_at_a_time(settings.home, definition),
        tempfile.TemporaryDirectory() as scratch,
    ):
        directory = registry.download(settings, registry.get_version(settings, name, version), Path(scratch))
        # Before the alias is set: it must never name a scorer that does not verify or that was refused.
        scorer = Scorer.load(directory)
        require_not_refused(scorer.spec, f"version {version} of {name}")
        try:
            overlap.require_apart(settings, definition, scorer, source)
        except SharedPopulation as refused:
            _refused(settings, name, version, str(refused), instead_of)
            raise
        before = registry.by_alias(settings, name, registry.CHAMPION)
        if (None if before is None else before.version) not in (instead_of, version):
            assert before is not None
            _refused(settings, name, version, f"version {before.version} became champion meanwhile", before.version)
            raise ChampionChanged(
                f"version {version} of {name} is not promoted: it was compared with "
                f"{'no champion' if instead_of is None else f'champion {instead_of}'}, and version {before.version} became champion "
                f"meanwhile; see python -m training compare {name}, then promote it again if it is the better one"
            )
        if before is not None and before.version != version:
            registry.set_alias(settings, name, registry.PREVIOUS, before.version)
        registry.set_alias(settings, name, registry.CHAMPION, version)
        challenger = registry.by_alias(settings, name, registry.CHALLENGER)
        if challenger is not None and challenger.version == version:
            registry.drop_alias(settings, name, registry.CHALLENGER)
        logged = audit_spool.ROLLBACK if action == standing.ROLLED_BACK else audit_spool.PROMOTION
        live = champion_pointer.put_live(settings.home, name, directory, version, action=logged, command=command)
        registry.tag_version(settings, name, version, "promotion", f"champion since {live.promoted_at}")
        previous = None if before is None or before.version == version else before.version
        note_standing(settings, name, standing.event(action, version, previous))
    return {
        "model": name,
        "champion": version,
        "previous": previous,
        "scorer": f"sha256:{live.sha256}",
        "pointer": str(champion_pointer.folder(settings.home, name) / champion_pointer.NAME),
    }


def rollback(settings: Settings, model: str, source: str | None = None, data: Path | None = None) -> dict[str, object]:
    """Make the previous champion champion again; a second rollback goes forward again.

    Raises `UserMistake` when there is no previous champion.
    """
    name = get_model(model).name
    registry.require_writable(settings)
    present = champion_version(settings, name)
    before = registry.by_alias(settings, name, registry.PREVIOUS)
    if before is None:
        raise UserMistake(
            f"{name} has no previous champion to go back to: promote a version with python -m training promote {name} --version N"
        )
    opened = _opened(source, data)
    return promote_version(
        settings, name, before.version, present, opened, standing.ROLLED_BACK, command="training rollback"
    )


def _refused(settings: Settings, name: str, version: int, why: str, instead_of: int | None) -> None:
    registry.tag_version(settings, name, version, "promotion", f"refused: {why}")
    note_standing(settings, name, standing.event(standing.REFUSED, version, instead_of, why))


def note_standing(settings: Settings, name: str, happened: standing.StandingEvent | None = None) -> None:
    """Write down for the API how the versions stand. What was done is done when this fails, so that a failure is only said."""
    try:
        standing.note(settings.home, name, registry.versions(settings, name), happened)
    except (OSError, AccountscoreError) as error:
        why = told(error) if isinstance(error, OSError) else error
        log.warning("people are not shown how the versions of %s stand: %s; python -m serving sync mends it", name, why)
