"""The simulator: sensors that post their readings to the collector, whatever becomes of it."""
