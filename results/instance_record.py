"""The rented machine that a run was made on, as a stored type."""

from __future__ import annotations

from results.record import Record


class Instance(Record, frozen=True, kw_only=True):
    """What is rented, as the machine itself or its user tells; nothing that names this very machine.

    Identifiers of the instance or account, addresses and host names are never stored.
    """

    provider: str  # as in the price table: aws, gcp, azure, oci, runpod, ...
    instance_type: str | None = None
    region: str | None = None
    pricing: str | None = None  # one of results.price_cells.PRICINGS, reserved only where given; None: not told
    evidence: str  # given, environment, cloud-init, DMI, metadata service; several are joined by " and "
    reason: str = ""  # what could not be found out, and why
