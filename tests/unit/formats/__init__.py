"""Tests of collector/formats; cases.toml has messages of each family."""
