"""Simulated sensors that post their readings to the collector over HTTP or MQTT."""
