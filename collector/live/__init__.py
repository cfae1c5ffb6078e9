"""What the page shows: what is on the broker now, and what InfluxDB holds of it."""
