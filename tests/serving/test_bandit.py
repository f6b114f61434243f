"""`make check` runs bandit; this shows that it would see something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_pickle_in_the_packages_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("import json\n\nVALUE = json.loads('1')\n")
    (tmp_path / "bad.py").write_text("import pickle\n\nVALUE = pickle.loads(open('x', 'rb').read())\n")

    def codes(name: str) -> int:
        command = [sys.executable, "-m", "bandit", "-q", "-c", str(ROOT / "pyproject.toml"), str(tmp_path / name)]
        return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode

    assert (codes("good.py"), codes("bad.py")) == (0, 1)
