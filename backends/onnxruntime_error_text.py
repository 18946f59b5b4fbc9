"""What an error of ONNX Runtime says to people, on one line."""

from __future__ import annotations

import re

from results.errors import BackendUnavailable, ChipmarkError

_MOST = 300
_STATUS = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")
# The place in ONNX Runtime's sources and the function's signature, which end at its closing parenthesis.
_PLACE = re.compile(r"(?:^|(?<=Status Message: ))\S+\.(?:cc|cpp|h):\d+ .*?\)>* ")
# How providers say that they want fixed shapes (QNN 2.7), and ONNX Runtime that a model is newer than it (1.32).
_VARIABLE = re.compile(r"[Dd]ynamic shape is not supported")
_NEWER = re.compile(r"Unsupported model IR version|only \*guarantees\* support for models stamped with")
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


def refusal(device_id: str, error: Exception) -> ChipmarkError:
    """What a device that does not open a model is to say: one line of cause, and what to do where that is known.

    Args:
        device_id: chipmark's.
        error: what ONNX Runtime or the provider raised; the worker's log keeps all of it.
    """
    said = plain_error(error)
    if _VARIABLE.search(said):
        return BackendUnavailable(
            f"{device_id} takes no graph whose lengths vary, as a decoder's does whose key/value cache grows: {said}",
            "",
        )
    newer = "; the model is newer than this ONNX Runtime: use a newer one" if _NEWER.search(said) else ""
    return ChipmarkError(f"{device_id} does not open the model: {said}{newer}")
