"""How much memory this process may take: that of the machine, or of its container when that is less."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_bytes() -> int:
    """Bytes of RAM that the machine has, or that the container is allowed."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUPS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():  # "max" is no limit
            found.append(int(text))
    return min(found)


def gigabytes(count: int) -> str:
    """A count of bytes for people.

    >>> gigabytes(20_000_000_000), gigabytes(2_900)
    ('20.0 GB', '2.9 kB')
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"
