"""What collector and bridge share: readings, topics, receipts, MQTT, settings, start and stop."""
