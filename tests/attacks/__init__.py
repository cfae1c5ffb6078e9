"""Attacks from the wrong side, on the pipeline as users start it."""
