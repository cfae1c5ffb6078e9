"""docker-stack.yml on three real Docker engines: cells that are updated, drained and killed."""
