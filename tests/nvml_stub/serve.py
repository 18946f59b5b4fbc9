"""The loop of the process behind :class:`tests.nvml_stub.build.Machine`."""

from __future__ import annotations

import importlib
import json
import sys
import traceback


def main() -> None:
    for line in sys.stdin:
        target, arguments = json.loads(line)
        module, _, name = target.partition(":")
        try:
            answer = {"result": getattr(importlib.import_module(module), name)(**arguments)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
