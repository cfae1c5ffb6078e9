#!/bin/sh
# start.sh DIRECTORY COMMAND...
#
# Becomes COMMAND, Grafana's server, whose data are in GF_PATHS_DATA. Who may use this machine sees
# the dashboards without a password, unless BIND_ADDRESS opens Grafana to the network. It takes the admin's
# password at its first start only; this sets it again when DIRECTORY/secrets/grafana-admin differs
# from what was set last, so that an existing Grafana does not keep admin/admin. If TLS is set, it speaks
# HTTPS with the certificate in TLS_DIR. Its provisioning is copied to its data, where contact.sh adds
# whom alerts are sent to.
set -eu
password=$1/secrets/grafana-admin
data=${GF_PATHS_DATA:-/var/lib/grafana}
last=$data/admin-password.sha256
shift

now=$(sha256sum <"$password")
if [ -e "$data/grafana.db" ] && [ "$now" != "$(cat "$last" 2>/dev/null)" ]; then
    if command -v grafana >/dev/null; then cli="grafana cli"; else cli=grafana-cli; fi  # before 9.4
    $cli --homepath "${GF_PATHS_HOME:-/usr/share/grafana}" \
        admin reset-admin-password --password-from-stdin <"$password"
fi
(umask 077 && echo "$now" >"$last")
provisioning=$data/provisioning
given=${GF_PATHS_PROVISIONING:-/etc/grafana/provisioning}
if [ "$given" != "$provisioning" ]; then
    rm -rf "$provisioning"
    cp -R "$given" "$provisioning"
fi
export GF_PATHS_PROVISIONING="$provisioning"
# Grafana logs an error for each of these folders that is missing.
for folder in access-control alerting notifiers plugins; do mkdir -p "$provisioning/$folder"; done
sh "$(dirname "$0")/contact.sh" "$provisioning/alerting" "$data"
case $BIND_ADDRESS in
    127.* | localhost | ::1) export GF_AUTH_ANONYMOUS_ENABLED=true ;;
esac
if [ "${TLS:-}" ]; then
    export GF_SERVER_PROTOCOL=https GF_SERVER_CERTS_WATCH_INTERVAL=10s
    export GF_SERVER_CERT_FILE="$TLS_DIR/server.crt" GF_SERVER_CERT_KEY="$TLS_DIR/server.key"
fi
exec "$@"
