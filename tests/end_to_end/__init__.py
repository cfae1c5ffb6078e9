"""The whole road: curl, mosquitto_sub, InfluxDB, and each part restarted on the way."""
