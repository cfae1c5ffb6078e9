"""MQTT in, InfluxDB out, receipts back."""
