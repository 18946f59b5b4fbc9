"""What an error of ONNX Runtime says to people, on one line."""

from __future__ import annotations

import re

_MOST = 300
_STATUS = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")
# The place in ONNX Runtime's sources and the function's signature, which end at its closing parenthesis.
_PLACE = re.compile(r"^\S+\.(?:cc|cpp|h):\d+ .*?\)>* ")
_LOADING = re.compile(r"^Failed to load library .* with error: ")


def plain_error(error: BaseException) -> str:
    """The message without status codes, source lines, signatures and the paths of libraries.

    At most 300 characters; the name of the error's type where nothing is left.
    """
    text = " ".join(str(error).split()) + " "
    for prefix in (_STATUS, _PLACE, _STATUS, _LOADING):
        text = prefix.sub("", text, count=1)
    text = text.strip() or type(error).__name__
    return text if len(text) <= _MOST else text[: _MOST - 3] + "..."
