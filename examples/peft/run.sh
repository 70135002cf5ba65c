#!/usr/bin/env bash
# Adapters in transformers + PEFT and in our engine, both ways: run.sh WORK_DIR [RUN_DIR]
# RUN_DIR is a run whose plan uses an adapter, on the default model; without it `uno demo --quick` makes one in WORK_DIR.
# UNO_PEFT_VENV names an environment with torch, transformers, peft and gguf; UNO_BIN and UNO_LOGPROBS name built binaries.
set -euo pipefail
work=$(mkdir -p "${1:?usage: run.sh WORK_DIR [RUN_DIR]}" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
run=${2:-$work/run}
uno=${UNO_BIN:-} logprobs=${UNO_LOGPROBS:-} venv=${UNO_PEFT_VENV:-$work/venv}
export -n UNO_BIN UNO_LOGPROBS UNO_PEFT_VENV 2> /dev/null || true
if [ -z "$uno" ] || [ -z "$logprobs" ]; then
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$here/../../target}
  (cd "$here/../.." && cargo build --release && cargo build --release -p uno-models --example logprobs)
  uno=$CARGO_TARGET_DIR/release/uno logprobs=$CARGO_TARGET_DIR/release/examples/logprobs
fi
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q torch==2.9.0 transformers==4.57.1 peft==0.17.1 safetensors gguf==0.19.0
fi
[ -e "$run/plan.json" ] || "$uno" demo --quick --run "$run"
home=${UNO_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/uno}
if [ ! -e "$work/model/config.json" ]; then
  "$venv/bin/python" "$here/../vllm/gguf_to_hf.py" \
    "$home/models/SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf" "$work/model" float32
fi
rm -rf "$work/out"
"$uno" adapters export --run "$run" --to "$work/out" --format peft
HF_HUB_OFFLINE=1 "$venv/bin/python" "$here/compare.py" "$work/model" "$logprobs" "$work/out" "$work"
