"""`make run` and the files that it and the machine's programs read."""
