"""What device families publish over MQTT, as rules: from a topic and a payload to readings."""
