"""Shows the readings as they pass the broker."""
