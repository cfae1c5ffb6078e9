"""The HTTP interface: POST /data, health, metrics and documentation."""
