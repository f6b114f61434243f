"""Ways to damage the folder of a scorer, each with the reason that loading it must give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from models.scorer import artefact
from models.scorer.artefact_schema import FORMAT


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def rewrite_manifest(folder: Path, name: str) -> None:
    """What an attacker who can write would do: make the manifest agree with the changed file."""
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    data = (folder / name).read_bytes()
    manifest["files"][name] = {"sha256": artefact.digest(data), "bytes": len(data)}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))


def name_in_manifest(folder: Path, name: str) -> None:
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    manifest["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))


def change_leaf(folder: Path) -> None:
    text = (folder / "booster.txt").read_text()
    at = text.index("leaf_value=") + len("leaf_value=")
    end = text.index(" ", at)
    (folder / "booster.txt").write_text(text[:at] + repr(float(text[at:end]) + 1e-9) + text[end:])
    rewrite_manifest(folder, "booster.txt")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    **{
        f"flipped bit in {n}": (lambda d, n=n: flip(d / n), "sha256 differs")  # type: ignore[misc]
        for n in ("scorer.json", "linear.json", "golden.json", "booster.txt", "tables.npz")
    },  # type: ignore[misc]
    "truncated": (
        lambda d: (d / "booster.txt").write_bytes((d / "booster.txt").read_bytes()[:-100]),
        "bytes, the manifest says",
    ),
    "manifest is not JSON": (lambda d: (d / "MANIFEST.json").write_text("{"), "not a manifest"),
    "manifest gone": (lambda d: (d / "MANIFEST.json").unlink(), "missing or not a plain file"),
    "file gone": (lambda d: (d / "golden.json").unlink(), "missing or not a plain file"),
    "extra file": (lambda d: (d / "helper.py").write_text("raise SystemExit"), "does not belong"),
    "pickle": (lambda d: (d / "model.pkl").write_bytes(b"\x80\x04."), "does not belong"),
    "pickle in the manifest": (lambda d: name_in_manifest(d, "model.pkl"), "not a file of a scorer"),
    "traversal name": (lambda d: name_in_manifest(d, "../../etc/passwd"), "not a file of a scorer"),
    "link": (
        lambda d: ((d / "linear.json").rename(d.parent / "x"), (d / "linear.json").symlink_to(d.parent / "x")),
        "not a plain file",
    ),
    "another format": (
        lambda d: (d / "MANIFEST.json").write_text(
            (d / "MANIFEST.json").read_text().replace(f'"format": {FORMAT}', '"format": 9')
        ),
        "this version reads",
    ),
    "golden rows fail": (change_leaf, "golden rows give other trees"),
}
