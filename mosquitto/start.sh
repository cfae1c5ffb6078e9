#!/bin/sh
# start.sh CONFIGURATION SECRETS ACCOUNTS DIRECTORY
#
# Becomes mosquitto, with the accounts of the services in SECRETS and those of devices in ACCOUNTS.
# Both are joined in DIRECTORY; when they change, mosquitto reads them again, disconnects whoever is
# no longer known, and applies the rules to connections that are open.
set -eu
configuration=$1 secrets=$2 accounts=$3 directory=$4
here=$(dirname "$0")
umask 077

# Returns 0 if what it has joined is new.
join() {
    cat "$secrets/broker.passwd" "$accounts/devices.passwd" >"$directory/passwords.new" &&
        cat "$accounts/devices.acl" "$here/services.acl" >"$directory/rules.new" || return 1
    if cmp -s "$directory/passwords.new" "$directory/passwords" &&
        cmp -s "$directory/rules.new" "$directory/rules"; then
        return 1
    fi
    mv "$directory/passwords.new" "$directory/passwords"
    mv "$directory/rules.new" "$directory/rules"
}

rm -f "$directory/passwords" "$directory/rules"
until join; do sleep 1; done

cat "$configuration" >"$directory/mosquitto.conf"
if head -n 1 "$accounts/devices.acl" | grep -q opened; then
    echo 'allow_anonymous false' >>"$directory/mosquitto.conf"
fi

# $$ stays the number of this process, which becomes mosquitto. A SIGHUP that comes before mosquitto
# is ready for it would end it; ignored, it is sent again.
trap '' HUP
again=0
while sleep 1 && kill -0 $$ 2>/dev/null; do
    if join 2>/dev/null; then again=3; fi
    if [ $again -gt 0 ]; then
        kill -HUP $$
        again=$((again - 1))
    fi
done &
exec mosquitto -c "$directory/mosquitto.conf"
