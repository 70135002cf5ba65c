#!/usr/bin/env bash
# Does a routed request ever get the answer of another adapter while adapters are loaded and unloaded? swap.sh WORK_DIR
# WORK_DIR and the variables as for run.sh; with UNO_VLLM_URL the server must see WORK_DIR and hold three adapters.
# REQUESTS (default 1200), CLIENTS (requests at once, default 24); UNO_BENCH_BIN: binaries that are built already.
set -euo pipefail
work=$(mkdir -p "${1:?usage: swap.sh WORK_DIR}" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
bin=${UNO_BENCH_BIN:-}
# These are this script's, not settings of uno, which refuses UNO_* that it does not know.
export -n UNO_BENCH_BIN UNO_VLLM_VENV UNO_VLLM_URL 2> /dev/null || true
if [ -z "$bin" ]; then
  bin=${CARGO_TARGET_DIR:-target}/release
  cargo build --release -p uno
  cargo build --release -p uno-serve --example load
  cargo build --release -p uno-models --example opposite
fi
run=$work/swap
rm -rf "$run/live.db"* "$run/plans" "$run/spool"
"$bin/examples/opposite" "$run"
# Three slots for two adapters in use: the next one fits, the one after that needs a slot freed. vLLM itself gets room for every
# load of the test: its unload frees no slot of the engine, and its CPU kernels give requests of the base model the weights in the
# last slot (index -1) when they share a step with an adapter's (0.32.0, lora/ops/torch_ops/lora_ops.py). How GPU
# kernels treat such rows was not checked.
# On a CPU every token gathers its adapter's weights, padded to the largest rank: 64 instead of the adapters' 8 is eight times slower.
vllm_more="--max-loras 128 --max-lora-rank 8 --max-model-len 512"
. "$here/serve.sh"
# A server on a CPU that others use, too, may be silent for long: that is not what is tested here.
"$bin/uno" serve --run "$run" --listen 127.0.0.1:8124 --admin-listen 127.0.0.1:8125 --json \
  --set "target.url=$UNO_VLLM_URL" --set target.model=SmolLM2-135M-Instruct --set remote.max_loras=3 \
  --set serve.limits.idle_seconds=3600 --set serve.limits.first_byte_seconds=3600 --set remote.timeout_seconds=3600 > "$work/gateway.log" 2>&1 &
gateway=$!
trap 'kill $gateway ${server:-} 2> /dev/null; wait 2> /dev/null || true' EXIT
until grep -q '"listening"' "$work/gateway.log" 2> /dev/null; do
  kill -0 $gateway 2> /dev/null || { cat "$work/gateway.log" >&2; exit 1; }
  sleep 0.2
done
"$venv/bin/python" "$here/swap.py" http://127.0.0.1:8124 http://127.0.0.1:8125 "$UNO_VLLM_URL" "$run" "$bin/examples/load" \
  "${REQUESTS:-1200}" "${CLIENTS:-24}"
