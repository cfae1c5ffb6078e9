"""The bench: what the pipeline does, beside what it could do at most on this machine."""
