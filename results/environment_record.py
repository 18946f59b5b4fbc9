"""The machine and software a run was made with, as a stored type."""

from __future__ import annotations

from results.record import Record


class Environment(Record, frozen=True, kw_only=True):
    """The machine and software a run was made with. Hostnames are stored hashed."""

    chipmark_version: str
    python_version: str
    platform: str
    cpu_name: str | None
    cpu_count_logical: int | None
    cpu_count_physical: int | None
    cpu_count_usable: int | None
    memory_bytes: int | None
    packages: dict[str, str]
    variables: dict[str, str]
    host_id: str
    container: str | None = None
    load_average_1min: float | None = None
    git_commit: str | None = None
