"""Check a search before its first step: its config, its data, and whether its processes agree."""
