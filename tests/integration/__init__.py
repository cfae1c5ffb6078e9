"""Tests of one part against real processes."""
