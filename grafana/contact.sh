#!/bin/sh
# contact.sh [DIRECTORY DATA]
#
# Checks ALERT_WEBHOOK and ALERT_EMAIL: whom Grafana sends alerts to, nobody by default. Writes that
# to DIRECTORY/contact.yaml, for its provisioning. Grafana keeps what it was told once, so
# DATA/contacts remembers it, and what is no longer set is deleted at the next start. Contact
# points that a user made in Grafana stay; the notification policies are replaced, and reset then.
set -euf

refuse() {
    echo "$1='$2': expected $3" >&2
    exit 1
}

case ${ALERT_WEBHOOK:-} in
    *[[:space:]]*) refuse ALERT_WEBHOOK "$ALERT_WEBHOOK" "an address without spaces" ;;
    '' | http://[!/]* | https://[!/]*) ;;
    *) refuse ALERT_WEBHOOK "$ALERT_WEBHOOK" "an address that begins with http:// or https://" ;;
esac
part="[^][:space:],;<>\"'@]+"
if [ "${ALERT_EMAIL:-}" ] && ! printf '%s' "$ALERT_EMAIL" | tr '\n' ';' |
    grep -Eqx "$part@$part(, ?$part@$part)*"; then
    refuse ALERT_EMAIL "$ALERT_EMAIL" "addresses as ops@example.org, separated by commas"
fi
if [ "${ALERT_EMAIL:-}" ] && [ "${GF_SMTP_ENABLED:-}" != true ]; then
    refuse ALERT_EMAIL "$ALERT_EMAIL" \
        "GF_SMTP_ENABLED=true with it, and the mail server in GF_SMTP_HOST"
fi
[ $# -gt 0 ] || exit 0

before=$(cat "$2/contacts" 2>/dev/null || true)
now="${ALERT_WEBHOOK:+webhook} ${ALERT_EMAIL:+email}"
# Grafana replaces $NAME with the environment's value, after it has read the YAML.
{
    echo 'apiVersion: 1'
    if [ "$now" != ' ' ]; then
        printf '%s\n' 'contactPoints:' '  - orgId: 1' '    name: iot' '    receivers:'
        if [ "${ALERT_WEBHOOK:-}" ]; then
            echo '      - {uid: iot-webhook, type: webhook, settings: {url: $ALERT_WEBHOOK}}'
        fi
        if [ "${ALERT_EMAIL:-}" ]; then
            echo '      - {uid: iot-email, type: email, settings: {addresses: $ALERT_EMAIL}}'
        fi
        printf '%s\n' 'policies:' '  - orgId: 1' '    receiver: iot' \
            '    group_by: [grafana_folder, alertname]'
    elif [ "$before" ]; then
        echo 'resetPolicies: [1]'
    fi
    echo 'deleteContactPoints:'
    for kind in $before; do
        case $now in *$kind*) ;; *) echo "  - {orgId: 1, uid: iot-$kind}" ;; esac
    done
} >"$1/contact.yaml"
echo $now >"$2/contacts"
