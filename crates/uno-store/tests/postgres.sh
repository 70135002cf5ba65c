#!/bin/sh
# Runs the log's conformance suite on a Postgres of its own: in the clear, by TLS with a self-signed certificate, and on databases
# that older versions made. Needs initdb, pg_ctl (Debian: apt-get install postgresql) and openssl.
# usage: crates/uno-store/tests/postgres.sh
set -eu
PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
dir=$(mktemp -d)
as() { if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "PATH=$PATH; $1"; else sh -c "$1"; fi; }
if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi
trap 'as "pg_ctl -D $dir/db -m immediate stop" > /dev/null 2>&1; rm -rf "$dir"' EXIT
as "initdb -D $dir/db -U uno -A trust > $dir/initdb.log"
cat > "$dir/openssl.cnf" <<END
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = uno test
[extensions]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1
END
as "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -config $dir/openssl.cnf -keyout $dir/db/server.key -out $dir/db/server.crt 2> $dir/openssl.log"
# The database `encrypted` takes no connection in the clear.
cat > "$dir/db/pg_hba.conf" <<END
local     all       all              trust
hostnossl encrypted all 127.0.0.1/32 reject
host      all       all 127.0.0.1/32 trust
END
as "pg_ctl -D $dir/db -o '-p 54329 -k $dir -c listen_addresses=127.0.0.1 -c ssl=on' -l $dir/log -w start > /dev/null"
for name in live encrypted; do as "createdb -h $dir -p 54329 -U uno $name"; done
place=postgres://uno@127.0.0.1:54329
UNO_TEST_POSTGRES=$place/live UNO_TEST_POSTGRES_TLS=$place/encrypted UNO_TEST_POSTGRES_ROOT=$dir/db/server.crt \
    cargo test -p uno-store --lib --test live_log postgres -- --nocapture
