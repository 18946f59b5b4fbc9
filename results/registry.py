"""One registry type for backends, workloads and meters.

A value is an object, a ``"module:attribute"`` string, or an installed entry point, and is
resolved on first use, so that ``--help`` and ``list`` import nothing heavy. Entry points are
scanned only when a name is not built in or all names are asked for. A plugin that cannot be
imported is reported by :meth:`Registry.broken` and is never fatal to the others.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar, cast

from results.errors import UnknownNameError, UsageError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names of one kind of plugin.

    Args:
        kind: the noun for messages, for example ``"backend"``.
        group: the entry-point group third parties register in.
        members: attributes that a plugin must have, checked when it is resolved.
        builtins: name -> ``"module:attribute"``; a class is called without arguments.
    """

    def __init__(self, kind: str, group: str, builtins: Mapping[str, str], members: Sequence[str] = ()) -> None:
        self.kind, self.group, self.members = kind, group, tuple(members)
        self._values: dict[str, object] = dict(builtins)
        self._resolved: dict[str, T] = {}
        self._scanned = False
        self._duplicates: dict[str, str] = {}

    def add(self, name: str, value: object) -> None:
        """Register an object or ``"module:attribute"``; a taken name raises UsageError."""
        if name in self._values:
            raise UsageError(f"{self.kind} {name!r} is registered twice: {self._values[name]!r}, {value!r}")
        self._values[name] = value

    def names(self) -> list[str]:
        """All names, built-in and installed, sorted."""
        self._scan()
        return sorted(self._values)

    def get(self, name: str, where: str = "") -> T:
        """The plugin itself.

        Raises:
            UnknownNameError: no such name.
            UsageError: the plugin is there but cannot be imported.
        """
        if name in self._resolved:
            return self._resolved[name]
        if name not in self._values:
            self._scan()
        if name not in self._values:
            raise UnknownNameError(self.kind, name, self._values, where)
        try:
            self._resolved[name] = self._resolve(self._values[name])
        except (Exception, SystemExit) as error:  # a foreign import may raise anything
            raise UsageError(
                f"{self.kind} {name!r} cannot be loaded: {type(error).__name__}: {' '.join(str(error).split())}; "
                "repair or uninstall the package that provides it"
            ) from error
        return self._resolved[name]

    def broken(self) -> dict[str, str]:
        """Name -> reason, for every plugin that cannot be loaded."""
        reasons = dict(self._duplicates)
        for name in self.names():
            try:
                self.get(name)
            except UsageError as error:
                reasons[name] = str(error)
        reasons.update(self._duplicates)
        return reasons

    def _scan(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        from importlib.metadata import entry_points  # 0.1 s: only when needed

        for point in entry_points(group=self.group):
            if point.name in self._values:
                self._duplicates[f"{point.name} ({point.value})"] = (
                    f"{self.kind} {point.name!r} from {point.value} is ignored: the name is taken"
                )
            else:
                self._values[point.name] = point

    def _resolve(self, value: object) -> T:
        if isinstance(value, str):
            module, _, attribute = value.partition(":")
            found = getattr(importlib.import_module(module), attribute)
        elif hasattr(value, "load"):
            found = value.load()
        else:
            found = value
        plugin = found() if isinstance(found, type) else found
        lacking = [member for member in self.members if not hasattr(plugin, member)]
        if lacking:
            raise TypeError(f"it is no {self.kind}: it has no {', '.join(lacking)}")
        return cast(T, plugin)
