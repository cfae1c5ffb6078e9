"""From the outbox to the broker, and again until each reading has its receipt."""
