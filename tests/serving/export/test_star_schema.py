"""Every column of the star is described on the page."""

from __future__ import annotations

from pathlib import Path

from serving.export import star_schema


def test_the_page_describes_every_column() -> None:
    page = (Path(star_schema.__file__).parent / "README.md").read_text()
    assert page.endswith(f"\n## Tables\n\n{star_schema.described()}\n"), (
        "paste serving.export.star_schema.described() into the page"
    )
