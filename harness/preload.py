"""Imported once by the fork server: loads what every worker needs, so that workers start fast.

Only imports happen here. Nothing may start threads or open a device, because workers are forks.
A module that cannot be imported is skipped: the worker that needs it will say so properly.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os

PRELOAD_VARIABLE = "CHIPMARK_PRELOAD"


def preload(modules: str) -> None:
    """Import each of the comma-separated ``modules`` that can be imported."""
    for name in filter(None, modules.split(",")):
        with contextlib.suppress(Exception):
            importlib.import_module(name)


if os.environ.get(PRELOAD_VARIABLE):
    preload(os.environ[PRELOAD_VARIABLE])
    # Workers need never look at what was loaded here: their collections stay short, and the
    # pages stay shared.
    gc.collect()
    gc.freeze()
