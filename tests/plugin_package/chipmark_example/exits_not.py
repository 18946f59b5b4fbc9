"""Something that is no workload."""

SOMETHING = {"a": "dictionary"}
