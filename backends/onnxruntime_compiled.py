"""The cache of compiled models: some providers compile for minutes, and the time of that is told apart.

A provider either keeps what it compiled in a folder that it is given, or writes a model whose nodes are compiled
(EPContext) that is opened in place of the first. Either way a folder of chipmark's cache holds it, made whole
elsewhere and renamed, and named by a hash of all that the compiled code depends on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backends.onnx_cache import MODEL_FILE, cache_root, content_key
from backends.onnxruntime_error_text import plain_error
from backends.onnxruntime_provider import Provider
from results.errors import ChipmarkError

_DONE_FILE = "compiled.json"
_CONTEXT = {"ep.context_enable": "1", "ep.context_embed_mode": "0"}

Open = Callable[[Path, Provider, Mapping[str, str]], Any]  # (model, provider, session config entries) -> session


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What to open in place of a model.

    Attributes:
        model: the file.
        provider: where to run it, with the options that name its cache.
        facts: ``ep_context``: off, cold, warm, or unused where the provider compiled in spite of what it had kept;
            ``compile_s``: seconds of opening a session that compiled, None where none did or it is not kept.
        folder: temporary, to be removed after the sessions were opened, or None.
    """

    model: Path
    provider: Provider
    facts: Mapping[str, object]
    folder: Path | None = None

    def clean_up(self) -> None:
        """Remove what is not kept; call it when the sessions are open."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def not_kept(model: Path, provider: Provider) -> Compiled:
    """Without the cache: every session compiles."""
    return Compiled(model, provider, {"ep_context": "off", "compile_s": None})


def compiled(model: Path, provider: Provider, ingredients: Mapping[str, object], open_session: Open) -> Compiled:
    """The compiled form of ``model``, from the cache or made now.

    Args:
        model: an ONNX file; external data lies beside it.
        provider: one whose row ``keeps_compiled``.
        ingredients: what the compiled code depends on beside the model and the provider; JSON-able.
        open_session: opens one with session config entries.

    Raises:
        ChipmarkError: the provider does not read what it wrote.
    """
    key = content_key({**ingredients, "model": _digest(model.parent), "provider": _identity(provider)})
    place = cache_root() / "compiled" / key
    if (place / _DONE_FILE).exists():
        try:
            return _warm(place, model, provider, open_session)
        except Exception:  # damaged, or of another driver: made again
            shutil.rmtree(place, ignore_errors=True)
    return _compile(place, model, provider, open_session)


def _warm(place: Path, model: Path, provider: Provider, open_session: Open) -> Compiled:
    """What was kept, if it is used: a provider that compiles all the same writes it once more (OpenVINO's CPU)."""
    found = _use(place, model, provider, {"ep_context": "warm", "compile_s": None})
    before, start = _state(place), time.perf_counter()
    open_session(found.model, found.provider, {})
    seconds = time.perf_counter() - start
    if _state(place) == before:
        return found
    note = f"{provider.row.title} compiled again, though it was given what it had kept"
    facts = {"ep_context": "unused", "compile_s": seconds, "ep_context_note": note}
    return dataclasses.replace(found, facts=facts)


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file."""
    found = {str(path): path.stat() for path in folder.rglob("*") if path.is_file()}
    return {name: (status.st_size, status.st_mtime_ns) for name, status in found.items()}


def _compile(place: Path, model: Path, provider: Provider, open_session: Open) -> Compiled:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".build-", dir=place.parent))
        note = ""
    except OSError as error:
        folder = Path(tempfile.mkdtemp(prefix="chipmark-compiled-"))
        note = f"cache folder cannot be written ({error.strerror}): not kept"
    try:
        seconds = _fill(folder, model, provider, open_session)
        facts = {"ep_context": "cold", "compile_s": seconds, **({"ep_context_note": note} if note else {})}
        if note:
            return dataclasses.replace(_use(folder, model, provider, facts), folder=folder)
        (folder / _DONE_FILE).write_text(json.dumps({"compile_s": seconds}), encoding="utf-8")
        _publish(folder, place)
        found = _use(place, model, provider, facts)
        _check_readable(found, open_session)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return found


def _fill(folder: Path, model: Path, provider: Provider, open_session: Open) -> float:
    """Compile into ``folder``; seconds that opening the session took."""
    config = {} if provider.row.cache else {**_CONTEXT, "ep.context_file_path": str(folder / MODEL_FILE)}
    start = time.perf_counter()
    open_session(model, _with_cache(provider, folder), config)
    seconds = time.perf_counter() - start
    if config and not (folder / MODEL_FILE).exists():
        raise ChipmarkError(f"{provider.row.title} wrote no compiled model; leave out option ep_context")
    return seconds


def _check_readable(found: Compiled, open_session: Open) -> None:
    try:
        open_session(found.model, found.provider, {})
    except Exception as error:  # the binding raises its own types, one per status code
        shutil.rmtree(found.model.parent, ignore_errors=True)
        said = f"{found.provider.row.title} does not read the compiled model that it wrote: {plain_error(error)}"
        raise ChipmarkError(f"{said}; leave out option ep_context") from error


def _publish(folder: Path, place: Path) -> None:
    """Rename ``folder`` to ``place``, unless another process was first."""
    try:
        os.rename(folder, place)
    except OSError:
        if not (place / _DONE_FILE).exists():
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _use(folder: Path, model: Path, provider: Provider, facts: Mapping[str, object]) -> Compiled:
    if provider.row.cache:
        return Compiled(model, _with_cache(provider, folder), facts)
    return Compiled(folder / MODEL_FILE, provider, facts)


def _with_cache(provider: Provider, folder: Path) -> Provider:
    own = {name: value.format(folder=folder) for name, value in provider.row.cache.items()}
    return dataclasses.replace(provider, options={**provider.options, **own})


def _identity(provider: Provider) -> dict[str, object]:
    return {"device": provider.device_id, "name": provider.name, "options": dict(provider.options)}


def _digest(folder: Path) -> str:
    """SHA-256 of the model and its external data."""
    whole = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".json"):
        with file.open("rb") as stream:
            whole.update(file.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()
