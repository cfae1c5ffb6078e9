"""Chaos: the promise held against crashes, cuts and outages of real processes."""
