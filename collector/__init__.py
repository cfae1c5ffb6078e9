"""HTTP and MQTT in, outbox, publisher: what is accepted is on disk and will be stored."""
