"""Guards: facts about the machine while it measured, each against a threshold.

One small file each; ``harness.guards.table`` holds every threshold, ``harness.guards.guard_set``
runs the guards of a device around the timed passes. A guard never runs inside a timed region,
starts no thread, and whatever goes wrong in it costs its own verdict only (UNKNOWN).
"""
