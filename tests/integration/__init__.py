"""Tests with real processes: a part on its own, and the whole pipeline."""
