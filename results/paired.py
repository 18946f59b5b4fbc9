"""The verdict on pairs of processes measured side by side."""

MIN_PAIRS = 7
