#!/bin/sh
# The official OpenAI client and curl against a gateway before a server that is running.
# usage: e2e.sh SERVER_URL MODEL [UNO_BINARY]        for example e2e.sh http://127.0.0.1:8123/v1 SmolLM2-135M-Instruct
#   SERVER_URL ""   the embedded engine of `uno serve` answers
#   PYTHON          a Python with `openai` (PyPI), default python3
#   RUN             a run directory with a plan (a copy is served), default an empty one: the base model answers then
set -eu
server=$1 model=$2 uno=${3:-target/release/uno} python=${PYTHON:-python3}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
mkdir "$work/run"
for part in run.json plan.json plans centroids.safetensors adapters; do
    if [ -e "${RUN:-/nowhere}/$part" ]; then cp -r "$RUN/$part" "$work/run/"; fi
done
trap 'kill "$(cat "$work/pid")" 2> /dev/null || true; wait; rm -rf "$work"' EXIT
key=$("$uno" keys add e2e --file "$work/keys.jsonl" --json | "$python" -c 'import json, sys; print(json.load(sys.stdin)["key"])')
"$uno" serve --run "$work/run" --listen 127.0.0.1:19032 --json --set "target.url=$server" --set "target.model=$model" \
    --set "serve.keys=$work/keys.jsonl" > "$work/log" 2>&1 & echo $! > "$work/pid"
until grep -q '"listening"' "$work/log"; do kill -0 "$(cat "$work/pid")" || { cat "$work/log"; exit 1; }; sleep 0.2; done
base=http://127.0.0.1:19032
"$python" "$here/openai_client.py" $base "$key"

# curl: what a shell sees.
ask() { curl -sS -H "authorization: Bearer $key" -H 'content-type: application/json' "$@"; }
body='{"model": "uno", "messages": [{"role": "user", "content": "How do I cook rice?"}], "max_tokens": 8'
expect() { if printf '%s' "$2" | grep -q "$3"; then echo "ok   curl: $1"; else echo "FAIL curl: $1: $2"; exit 1; fi; }
whole=$(ask -D "$work/head" $base/v1/chat/completions -d "$body}")
expect "an answer" "$whole" '"choices"'
expect "headers" "$(cat "$work/head")" 'x-uno-decision: [0-9a-f]\{32\}'
expect "a stream to its end" "$(ask -N $base/v1/chat/completions -d "$body, \"stream\": true}")" 'data: \[DONE\]'
expect "no key" "$(curl -sS $base/v1/models)" 'authentication_error'
expect "garbage" "$(ask $base/v1/chat/completions -d '{"model":')" 'invalid_request_error'
expect "adapters are nobody's business" "$(ask $base/v1/load_lora_adapter -d '{"lora_name": "x", "lora_path": "/etc"}')" 'there is no POST'
decision=$(sed -n 's/^x-uno-decision: \([0-9a-f]*\).*/\1/p' "$work/head")
expect "feedback" "$(ask $base/v1/feedback -d "{\"decision\": \"$decision\", \"corrected\": \"1. Rinse.\"}")" "$decision"
expect "feedback taken back" "$(ask -X DELETE "$base/v1/feedback/$decision")" '"deleted":true'
expect "readiness" "$(curl -sS $base/ready)" '"ready":true'
if [ -n "${RUN:-}" ]; then expect "the plan routes" "$(cat "$work/head")" 'x-uno-plan: .'; grep -i '^x-uno' "$work/head"; fi
kill -TERM "$(cat "$work/pid")"; wait "$(cat "$work/pid")" && echo "ok   it stopped in good order"
"$uno" ingest --from store "$work/run/live.db" --out "$work/records.jsonl" --json > "$work/ingest.json"
expect "the log is read back" "$(cat "$work/ingest.json")" '"kept"'
