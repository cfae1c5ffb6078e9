#!/bin/sh
# start.sh CONFIGURATION SECRETS ACCOUNTS DIRECTORY
#
# Becomes mosquitto, with the accounts of the services in SECRETS and those of devices in ACCOUNTS.
# Both are joined in DIRECTORY; when they change, mosquitto reads them again, disconnects whoever is
# no longer known, and applies the rules to connections that are open.
#
# If TLS is set, others than this machine have to speak it, on MQTTS_PORT, with the certificate in
# TLS_DIR; a new one is taken up as well, for new connections.
#
# If BROKER_SOCKET is set, it listens there too, without TLS, for this user's group and nobody else.
set -eu
configuration=$1 secrets=$2 accounts=$3 directory=$4
here=$(dirname "$0")
umask 077

# Returns 0 if what it has joined is new.
join() {
    # The collector never writes that file without a rule: it is damaged, or not there yet.
    [ -s "$accounts/devices.acl" ] || return 1
    cat "$secrets/broker.passwd" "$accounts/devices.passwd" >"$directory/passwords.new" &&
        cat "$accounts/devices.acl" "$here/services.acl" >"$directory/rules.new" || return 1
    if [ "${TLS:-}" ]; then
        # In one file, so that they always belong together. One that is missing stops no account.
        cat "$TLS_DIR/server.crt" "$TLS_DIR/server.key" >"$directory/certificate.new" ||
            rm "$directory/certificate.new"
    fi
    is_new=1
    for name in passwords rules ${TLS:+certificate}; do
        if [ -e "$directory/$name.new" ] && ! cmp -s "$directory/$name.new" "$directory/$name"; then
            mv "$directory/$name.new" "$directory/$name"
            is_new=0
        fi
    done
    return $is_new
}

# Prints the kind of the certificate's key.
kind() { grep 'PRIVATE KEY' "$directory/certificate"; }

rm -f "$directory/passwords" "$directory/rules" "$directory/certificate"
until
    join
    [ -e "$directory/rules" ] && { [ -z "${TLS:-}" ] || [ -e "$directory/certificate" ]; }
do sleep 1; done

if [ "${TLS:-}" ]; then
    sed -E 's/^(listener [0-9]+).*/\1 127.0.0.1/' "$configuration"
    address=$(sed -nE 's/^listener [0-9]+ *//p' "$configuration")
    echo "listener ${MQTTS_PORT:-8883} $address"
    echo "certfile $directory/certificate"
    echo "keyfile $directory/certificate"
else
    cat "$configuration"
fi >"$directory/mosquitto.conf"
if [ "${BROKER_SOCKET:-}" ]; then echo "listener 0 $BROKER_SOCKET" >>"$directory/mosquitto.conf"; fi
if head -n 1 "$accounts/devices.acl" | grep -q opened; then
    echo 'allow_anonymous false' >>"$directory/mosquitto.conf"
fi

# $$ stays the number of this process, which becomes mosquitto. A SIGHUP that comes before mosquitto
# is ready for it would end it; ignored, it is sent again.
trap '' HUP
again=0
kind=$(kind 2>/dev/null || true)
while sleep 1 && kill -0 $$ 2>/dev/null; do
    if join 2>/dev/null; then again=3; fi
    # Mosquitto would go on with the old key of another kind beside the new one. It is started again.
    if [ "$kind" != "$(kind 2>/dev/null)" ]; then kill -TERM $$; fi
    if [ $again -gt 0 ]; then
        kill -HUP $$
        again=$((again - 1))
    fi
done &
exec mosquitto -c "$directory/mosquitto.conf"
