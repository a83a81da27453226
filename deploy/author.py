"""Who gives a word by hand: the name that is kept with it."""

from __future__ import annotations

import getpass
import os


def author(said: str | None) -> str:
    """What was said; else the login name. In a container the user often has a number alone."""
    try:
        return said or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
