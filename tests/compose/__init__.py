"""docker-compose.yml and the images, tested on a real Docker engine."""
