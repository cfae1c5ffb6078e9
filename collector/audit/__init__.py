"""Compares accepted readings with what InfluxDB holds."""
