#!/usr/bin/env bash
# Our adapters in a real vLLM, compared with our own engine: run.sh WORK_DIR
# WORK_DIR keeps vLLM's environment (7 GB), the model, the adapters and the logs, so that a second call is quick.
# UNO_VLLM_VENV names an environment that is there already; UNO_VLLM_URL a server (it must see WORK_DIR).
set -euo pipefail
work=$(mkdir -p "${1:?usage: run.sh WORK_DIR}" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
cargo build --release -p uno-models --example vllm
. "$here/serve.sh"
"${CARGO_TARGET_DIR:-target}/release/examples/vllm" "$UNO_VLLM_URL" "$work/adapters"
