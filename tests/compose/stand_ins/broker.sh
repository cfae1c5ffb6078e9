#!/bin/sh
# Like upstream: when started as root, give the data to the user that Mosquitto switches to.
set -e
if [ "$(id -u)" = 0 ]; then
	chown -R 1883:1883 /mosquitto/data || true
fi
exec "$@"
