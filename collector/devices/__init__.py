"""What devices publish by MQTT: the same intake, outbox and promise as a POST."""
