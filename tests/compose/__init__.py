"""docker-compose.yml, run for real on a Docker engine."""
