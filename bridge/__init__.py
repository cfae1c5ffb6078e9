"""Writes readings from MQTT to InfluxDB and publishes receipts."""
