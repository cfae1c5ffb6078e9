"""Accepted readings on disk, from the commit until they are settled and old enough to prune."""
