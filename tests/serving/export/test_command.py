"""The export by command, and by the nightly run itself."""

from __future__ import annotations

from pathlib import Path

from serving.manifest import read_manifest
from tests.kit.published import bytes_of_folder
from tests.kit.running import AS_OF, Home


class TestDoor:
    def test_the_command_reports_what_it_added(self, home: Home, nights: dict[str, Path], tmp_path: Path) -> None:
        command = ("export", "--scores", str(nights["second"]), "--to", str(tmp_path / "star"))
        first, again = home.run("serving", *command), home.run("serving", *command)
        assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
        accounts = read_manifest(nights["second"])["signals"]["account"]["rows"]
        assert f"{accounts:,} account_dim" in first.stdout
        assert "already" in again.stdout

    def test_the_batch_exports_itself_and_resumes_a_failed_export(self, home: Home, star: Path, tmp_path: Path) -> None:
        """A place that fails is told after the run was published; the same command again adds it there."""
        command = ("batch", *home.source, "--as-of", AS_OF, "--out", str(tmp_path / "out"), "--no-history")
        blocked = tmp_path / "blocked"
        blocked.write_text("a file")
        export = ("--export", str(tmp_path / "star"), "--export", str(blocked / "deeper"))
        failed = home.run("serving", *command, *export)
        assert failed.returncode == 7, failed.stdout + failed.stderr
        assert "is published, but not in" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert read_manifest(tmp_path / "out")["models"]
        blocked.unlink()
        assert home.run("serving", *command, *export).returncode == 0
        one, two = bytes_of_folder(tmp_path / "star"), bytes_of_folder(blocked / "deeper")
        assert one == two
        assert any(name.startswith("arr_at_risk/") for name in one)

    def test_nothing_published_is_a_mistake(self, home: Home, tmp_path: Path) -> None:
        done = home.run("serving", "export", "--scores", str(tmp_path), "--to", str(tmp_path / "star"))
        assert done.returncode == 2
        assert "no run was published there" in done.stderr
        assert not (tmp_path / "star").exists()
