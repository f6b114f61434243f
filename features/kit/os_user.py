"""Who runs this process: the user of the operating system, for the audit log."""

from __future__ import annotations

import os
import pwd


def os_user() -> str:
    """The user's name; `uid 1001` where the system has no name for the number, as in many containers.

    The number is the kernel's word. Variables such as `USER` are the caller's, and are not read.
    """
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
