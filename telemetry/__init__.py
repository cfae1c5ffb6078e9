"""The ground that collector and bridge stand on: readings, topics, receipts, MQTT, settings."""
