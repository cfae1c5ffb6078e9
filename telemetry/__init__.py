"""What collector and bridge share: readings, topics, receipts, MQTT, settings, start and stop."""

__version__ = "1.0.0"
