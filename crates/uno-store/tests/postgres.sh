#!/bin/sh
# Runs the log's conformance suite on a Postgres of its own. Needs initdb and pg_ctl (Debian: apt-get install postgresql).
# usage: crates/uno-store/tests/postgres.sh
set -eu
PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
dir=$(mktemp -d)
as() { if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "PATH=$PATH; $1"; else sh -c "$1"; fi; }
if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi
trap 'as "pg_ctl -D $dir/db -m immediate stop" > /dev/null 2>&1; rm -rf "$dir"' EXIT
as "initdb -D $dir/db -U uno -A trust > $dir/initdb.log"
as "pg_ctl -D $dir/db -o '-p 54329 -k $dir -c listen_addresses=127.0.0.1' -l $dir/log -w start > /dev/null"
as "createdb -h 127.0.0.1 -p 54329 -U uno live"
UNO_TEST_POSTGRES=postgres://uno@127.0.0.1:54329/live cargo test -p uno-store --test live_log -- --nocapture
