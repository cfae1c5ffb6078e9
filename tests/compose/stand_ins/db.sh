#!/bin/sh
# Like upstream, which makes accounts and a database before its first start only if it is told to.
set -e
exec "$@"
