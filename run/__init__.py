"""The whole pipeline on one machine without containers: `make run`."""
