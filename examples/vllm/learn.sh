#!/usr/bin/env bash
# `uno learn` with target, teacher and judge on a real vLLM, then one question: learn.sh WORK_DIR
# WORK_DIR and the variables as for run.sh; with UNO_VLLM_URL the server must see WORK_DIR (adapters are loaded from there).
set -euo pipefail
work=$(mkdir -p "${1:?usage: learn.sh WORK_DIR}" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
uno=${UNO_BIN:-}
# These are this script's, not settings of uno, which refuses UNO_* that it does not know.
export -n UNO_BIN UNO_VLLM_VENV UNO_VLLM_URL 2> /dev/null || true
if [ -z "$uno" ]; then
  cargo build --release
  uno=${CARGO_TARGET_DIR:-target}/release/uno
fi
. "$here/serve.sh"
grep -m "${CONVERSATIONS:-40}" '"id":"cooking-' examples/logs/conversations.jsonl > "$work/cooking.jsonl"
set_url=(--set "target.url=$UNO_VLLM_URL")
"$uno" learn --logs "$work/cooking.jsonl" --run "$work/run" --config "$here/uno.toml" "${set_url[@]}" --json
"$uno" ask --run "$work/run" --json "How do I make a potato gratin?"
"$uno" adapters verify --run "$work/run"
