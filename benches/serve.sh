#!/bin/bash
# What the gateway costs, against the same static server asked directly: client, gateway and server on one machine.
# usage: benches/serve.sh [SECONDS]      (builds the release binaries first; takes about fifteen times SECONDS; default 10)
#   UNO_BENCH_BIN=DIR      takes `uno` and `examples/load` from there and builds nothing
#   UNO_BENCH_LITELLM=DIR  also measures LiteLLM's proxy, one worker, from a Python environment in DIR, made when missing
# Routing needs MiniLM (`uno models pull`). What is printed last is computed from what is printed before.
set -eu
seconds=${1:-10}
bin=${UNO_BENCH_BIN:-}
litellm=${UNO_BENCH_LITELLM:-}
# Not settings of uno, which refuses UNO_* that it does not know.
export -n UNO_BENCH_BIN UNO_BENCH_LITELLM 2> /dev/null || true
cd "$(dirname "$0")/.."
if [ -z "$bin" ]; then
    bin=${CARGO_TARGET_DIR:-target}/release
    cargo build --release -p uno
    cargo build --release -p uno-serve --example load
fi
load=$bin/examples/load
work=$(mktemp -d)
trap 'kill $(cat "$work"/*.pid) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
path=v1/chat/completions
direct=http://127.0.0.1:19001/$path gateway=http://127.0.0.1:19002/$path routed=http://127.0.0.1:19003/$path

# measure NAME fire|streams ADDRESS OPTIONS…: prints a line and keeps it
measure() {
    name=$1; shift
    printf '%-34s' "$name"
    "$load" "$@" | tee "$work/out"
    printf '%s\t%s\n' "$name" "$(cat "$work/out")" >> "$work/all"
}
# serve NAME ADDRESS RUN OPTIONS…: starts a gateway before the static server
serve() {
    name=$1 address=$2 run=$3; shift 3
    "$bin/uno" serve --run "$run" --listen "$address" --json "$@" \
        --set target.url=http://127.0.0.1:19001/v1 --set target.model=static > "$work/$name.log" & echo $! > "$work/$name.pid"
    until grep -q '"listening"' "$work/$name.log" 2> /dev/null; do sleep 0.1; done
}
end() { kill -TERM "$(cat "$work/$1.pid")"; wait "$(cat "$work/$1.pid")" 2> /dev/null || true; rm "$work/$1.pid"; }
rows() { python3 -c "import sqlite3; print('rows in the log:', sqlite3.connect('$1/live.db').execute('select count(*) from requests').fetchone()[0])"; }

"$load" upstream 127.0.0.1:19001 > "$work/upstream.log" & echo $! > "$work/upstream.pid"
sleep 0.5
serve gateway 127.0.0.1:19002 "$work/run"
sleep 1
for _ in 1 2 3; do
    measure "500/s direct" fire $direct --rate 500 --seconds "$seconds" --connections 16
    measure "500/s gateway" fire $gateway --rate 500 --seconds "$seconds" --connections 16
done
measure "flat out direct" fire $direct --seconds "$seconds" --connections 32
measure "flat out gateway" fire $gateway --seconds "$seconds" --connections 32
measure "1000 streams" streams $gateway --count 1000
printf 'gateway memory: %s\n' "$(grep VmHWM "/proc/$(cat "$work/gateway.pid")/status")"
end gateway
rows "$work/run"

"$load" plan "$work/routed"
serve routed 127.0.0.1:19003 "$work/routed"
sleep 2
measure "50/s direct" fire $direct --rate 50 --seconds "$seconds" --connections 4
measure "50/s routed, questions new" fire $routed --rate 50 --seconds "$seconds" --connections 4 --questions 100000000
measure "500/s direct, again" fire $direct --rate 500 --seconds "$seconds" --connections 16
measure "500/s routed, question known" fire $routed --rate 500 --seconds "$seconds" --connections 16
printf 'gateway memory with MiniLM: %s\n' "$(grep VmHWM "/proc/$(cat "$work/routed.pid")/status")"
end routed
python3 -c "
import sqlite3
for row in sqlite3.connect('$work/routed/live.db').execute('select path, reason, cluster, count(*) from requests group by 1, 2, 3'): print('routed:', row)"

for bits in f32 int8; do
    serve routed 127.0.0.1:19003 "$work/routed" --set serve.route.precision=$bits
    sleep 2
    measure "50/s routed, questions new, $bits" fire $routed --rate 50 --seconds "$seconds" --connections 4 --questions 100000000
    end routed
done

if [ -n "$litellm" ]; then
    [ -x "$litellm/bin/litellm" ] || { python3 -m venv "$litellm" && "$litellm/bin/pip" install -q 'litellm[proxy]==1.106.*'; }
    cat > "$work/litellm.yaml" <<END
model_list:
  - model_name: uno
    litellm_params: {model: openai/static, api_base: "http://127.0.0.1:19001/v1", api_key: none}
END
    # Without a key, as the gateway here; it asks for one otherwise.
    export LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true LITELLM_LOG=ERROR
    "$litellm/bin/litellm" --config "$work/litellm.yaml" --host 127.0.0.1 --port 19004 --num_workers 1 \
        > "$work/litellm.log" 2>&1 & echo $! > "$work/litellm.pid"
    for _ in $(seq 120); do curl -sf http://127.0.0.1:19004/health/liveliness > /dev/null && break; sleep 1; done
    theirs=http://127.0.0.1:19004/$path
    "$load" fire $theirs --seconds 3 --connections 1 > /dev/null
    measure "one connection LiteLLM" fire $theirs --seconds "$seconds" --connections 1
    measure "flat out LiteLLM" fire $theirs --seconds "$seconds" --connections 16
    end litellm
fi

python3 - "$work/all" <<'END'
import json, statistics, sys
found = {}
for line in open(sys.argv[1]):
    name, _, told = line.partition("\t")
    found.setdefault(name, []).append(json.loads(told))
def over(name, base, key):
    # By the median of the rounds: one round may meet another program.
    return statistics.median(f[key] for f in found[name]) - statistics.median(f[key] for f in found[base])
def say(what, value, bound): print(f"{what:<58} {value:>9} (bound {bound})")
failed = sum(f.get("failed", 0) + f.get("streams", 0) - f.get("whole", 0) for rows in found.values() for f in rows)
say("failed requests and broken streams", failed, "0")
say("overhead at 500/s, logged, p50 ms", f"{over('500/s gateway', '500/s direct', 'p50_ms'):.3f}", "0.2")
say("overhead at 500/s, logged, p99 ms", f"{over('500/s gateway', '500/s direct', 'p99_ms'):.3f}", "1")
fast = found["flat out gateway"][0]["per_second"]
say("requests a second, flat out", f"{fast:.0f}", "8400")
say("routing a new question of 55-60 tokens, p50 ms", f"{over('50/s routed, questions new', '50/s direct', 'p50_ms'):.3f}", "6")
for bits in ("f32", "int8"):
    say(f"the same, serve.route.precision={bits}", f"{over(f'50/s routed, questions new, {bits}', '50/s direct', 'p50_ms'):.3f}", "-")
say("routing a known question, whole overhead, p50 ms", f"{over('500/s routed, question known', '500/s direct, again', 'p50_ms'):.3f}", "0.2")
if "flat out LiteLLM" in found:
    theirs = found["flat out LiteLLM"][0]["per_second"]
    say(f"times LiteLLM's {theirs:.0f} requests a second", f"{fast / theirs:.0f}", "100")
END
