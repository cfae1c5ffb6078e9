#!/bin/sh
# As upstream: started by root, the data are given to the user that Mosquitto becomes.
set -e
if [ "$(id -u)" = 0 ]; then
	chown -R 1883:1883 /mosquitto/data || true
fi
exec "$@"
