#!/bin/sh
# What the gateway costs, against the same static server asked directly: client, gateway and server on one machine.
# usage: benches/serve.sh [SECONDS]      (builds the release binaries first; takes about a minute with 10 seconds)
set -eu
seconds=${1:-10}
target=${CARGO_TARGET_DIR:-target}
cargo build --release -p uno
cargo build --release -p uno-serve --example load
load=$target/release/examples/load
work=$(mktemp -d)
trap 'kill $(cat "$work"/*.pid) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
"$load" upstream 127.0.0.1:19001 > "$work/upstream.log" & echo $! > "$work/upstream.pid"
"$target/release/uno" serve --run "$work/run" --listen 127.0.0.1:19002 --json \
    --set target.url=http://127.0.0.1:19001/v1 --set target.model=static > "$work/serve.log" & echo $! > "$work/serve.pid"
until grep -q '"listening"' "$work/serve.log" 2>/dev/null; do sleep 0.1; done
sleep 1
direct=http://127.0.0.1:19001/v1/chat/completions
gateway=http://127.0.0.1:19002/v1/chat/completions
say() { printf '%-44s' "$1"; shift; "$@"; }
say "500/s direct" "$load" fire $direct --rate 500 --seconds "$seconds" --connections 16
say "500/s through the gateway, logged" "$load" fire $gateway --rate 500 --seconds "$seconds" --connections 16
say "as fast as it goes, 32 connections, direct" "$load" fire $direct --seconds "$seconds" --connections 32
say "as fast as it goes, 32 connections, gateway" "$load" fire $gateway --seconds "$seconds" --connections 32
say "1000 streams at once" "$load" streams $gateway --count 1000
printf 'gateway memory: %s\n' "$(grep VmHWM /proc/"$(cat "$work/serve.pid")"/status)"
kill -TERM "$(cat "$work/serve.pid")"; wait "$(cat "$work/serve.pid")" 2>/dev/null || true
printf 'rows in the log: '; python3 -c "
import sqlite3, sys; print(sqlite3.connect('$work/run/live.db').execute('select count(*) from requests').fetchone()[0])"
