#!/usr/bin/env bash
# Trains by UNO's own trainer and by TRL, on the CPU, and compares: run.sh WORK_DIR
# WORK_DIR keeps TRL's environment (6 GB), the model and the runs, so that a second call is quick.
# UNO_TRL_VENV names an environment that is there already, UNO_BIN a built binary; CONVERSATIONS=52 takes more logs than 24.
set -euo pipefail
work=$(mkdir -p "${1:?usage: run.sh WORK_DIR}" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
uno=${UNO_BIN:-}
venv=${UNO_TRL_VENV:-$work/venv}
# These are this script's, not settings of uno, which refuses UNO_* that it does not know.
export -n UNO_BIN UNO_TRL_VENV 2> /dev/null || true
if [ -z "$uno" ]; then
  cargo build --release
  uno=${CARGO_TARGET_DIR:-target}/release/uno
fi
if [ ! -x "$venv/bin/accelerate" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install torch==2.9.0 trl==0.24.0 transformers==4.57.1 peft==0.17.1 accelerate==1.11.0 datasets==4.3.0 gguf
fi
if [ ! -f "$work/model/config.json" ]; then
  "$uno" models pull SmolLM2-135M-Instruct
  gguf=$("$uno" models list --json | "$venv/bin/python" -c \
    'import json, sys; print(next(m["path"] for m in json.load(sys.stdin) if m["name"] == "SmolLM2-135M-Instruct"))')
  "$venv/bin/python" examples/vllm/gguf_to_hf.py "$gguf"/*.gguf "$work/model"
fi
grep -m "${CONVERSATIONS:-24}" '"id":"cooking-' examples/logs/conversations.jsonl > "$work/logs.jsonl"

words() { # RUN MORE…
  command=("$uno" learn --logs "$work/logs.jsonl" --run "$1" --config "$here/uno.toml" --set "target.model=$work/model"
    --set "trl.launcher=[\"$venv/bin/accelerate\", \"launch\"]" --json "${@:2}")
}
learn() {
  words "$@"
  "${command[@]}"
}
steps() { grep -c '"event": *"step"' "$1" 2> /dev/null || true; }

echo "== what accelerate finds"
"$uno" doctor --config "$here/uno.toml" --set "target.model=$work/model" \
  --set "trl.launcher=[\"$venv/bin/accelerate\", \"launch\"]"

echo "== Expert and Critic by UNO's own trainer"
learn "$work/native" --set train.backend=native > "$work/native.json"

echo "== the same run by TRL: what came before the training is not paid for again"
if [ ! -d "$work/trl" ]; then
  cp -r "$work/native" "$work/trl.new"
  rm -rf "$work/trl.new"/training/c*
  mv "$work/trl.new" "$work/trl"
fi
log=$work/trl/training/c00-expert-trl/training.jsonl
if [ "$(steps "$log")" = "" ] || [ "$(steps "$log")" = 0 ]; then
  echo "-- killed after three steps"
  words "$work/trl"
  "${command[@]}" > /dev/null 2>&1 &
  while [ "$(steps "$log")" = "" ] || [ "$(steps "$log")" -lt 3 ]; do
    kill -0 $! || { echo "it ended too early"; exit 1; }
    sleep 0.2
  done
  kill -9 $!
  wait $! 2> /dev/null || true
  for _ in $(seq 100); do
    pgrep -f "$work/trl/training/.*launcher.py" > /dev/null || break
    sleep 0.1
  done
  if pgrep -af "$work/trl/training/.*launcher.py"; then
    echo "a Python process was left behind"
    exit 1
  fi
  echo "-- no Python process is left; going on"
fi
learn "$work/trl" > "$work/trl.json"
learn "$work/trl" > "$work/trl.json"

echo "== the losses of every step"
"$venv/bin/python" "$here/compare.py" "$work/native/training" "$work/trl/training"

echo "== verified and routed like a native adapter"
for run in native trl; do
  "$venv/bin/python" -c 'import json, sys; print(sys.argv[2], json.load(open(sys.argv[1]))["clusters"][0])' "$work/$run.json" $run
done
echo "-- with a bar low enough that a module may answer, whatever it won of so few records: it is routed to"
learn "$work/trl" --set plan.policy=paper --set plan.min_win_rate=0.3 > /dev/null
"$uno" adapters verify --run "$work/trl"
"$uno" ask --run "$work/trl" --json "How do I make a potato gratin?"
learn "$work/trl" > "$work/trl.json" # back to the plan that wants proof
