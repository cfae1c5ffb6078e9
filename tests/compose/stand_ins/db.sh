#!/bin/sh
# Like upstream: before the first start only, a server on 127.0.0.1 creates the database INFLUXDB_DB
# and, with INFLUXDB_HTTP_AUTH_ENABLED, the administrator INFLUXDB_ADMIN_USER.
set -e
users=
case "$INFLUXDB_HTTP_AUTH_ENABLED" in
	true) users=$INFLUXDB_ADMIN_USER ;;
esac
if [ -n "$users$INFLUXDB_DB" ] && [ ! -d /var/lib/influxdb/meta ]; then
	INFLUXDB_HTTP_BIND_ADDRESS=127.0.0.1:8086 influxd &
	server=$!
	execute() { influx -host 127.0.0.1 -port 8086 "$@" >/dev/null 2>&1; }
	if [ -n "$users" ]; then
		first="CREATE USER \"$users\" WITH PASSWORD '$INFLUXDB_ADMIN_PASSWORD' WITH ALL PRIVILEGES"
	else
		first="CREATE DATABASE $INFLUXDB_DB"
	fi
	tries=30
	until execute -execute "$first"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || exit 1
		echo 'influxdb init process in progress...'
		sleep 1
	done
	if [ -n "$users" ] && [ -n "$INFLUXDB_DB" ]; then
		execute -username "$users" -password "$INFLUXDB_ADMIN_PASSWORD" \
			-execute "CREATE DATABASE $INFLUXDB_DB"
	fi
	kill -s TERM "$server"
	wait "$server"
fi
exec "$@"
