#!/usr/bin/env python3
"""Adapters in PEFT and in our engine, both ways: the same log-probability for every token.

    compare.py MODEL_DIR LOGPROBS EXPORT_DIR WORK_DIR

MODEL_DIR is the default model as a Hugging Face directory in float32 (examples/vllm/gguf_to_hf.py), LOGPROBS the built example
`logprobs` of uno-models, EXPORT_DIR what `uno adapters export --format peft` wrote. Both sides run in float32 on the same
weights.

1. Ours in theirs: every exported adapter is loaded by PEFT and gives the tokens of its fingerprint.json the log-probabilities that
   our engine gave them when it was trained.
2. Theirs in ours: adapters made and saved by PEFT (all linear layers, rank 8, random B; one in float32, one in bfloat16) are
   loaded by our engine and give the same tokens the same log-probabilities.

Fails where a token is off by more than 1e-3.
"""
import json
import subprocess
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

model_dir, logprobs, exported, work = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
TOLERANCE = 1e-3
torch.set_num_threads(2)
torch.manual_seed(7)


def base():
    return AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32, attn_implementation="eager").eval()


@torch.inference_mode()
def score(model, tokens):
    logits = model(torch.tensor([tokens])).logits[0, :-1].double()
    return torch.log_softmax(logits, -1).gather(1, torch.tensor(tokens[1:])[:, None])[:, 0].tolist()


def ours(texts, adapter):
    path = work / "texts.json"
    path.write_text(json.dumps(texts))
    command = [logprobs, model_dir, str(path)] + ([str(adapter)] if adapter else [])
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(name, theirs, mine, without):
    pairs = [(a, b) for x, y in zip(theirs, mine) for a, b in zip(x, y)]
    worst = max(abs(a - b) for a, b in pairs)
    effect = sum(abs(a - b) for x, y in zip(mine, without) for a, b in zip(x, y)) / len(pairs)
    print(f"{name:44} {len(pairs):6}  {worst:.2e}   {effect:.3f}")
    return worst <= TOLERANCE and effect > 0.01


print(f"{'adapter':44} {'tokens':>6}  {'largest':8}   mean effect of the adapter")
fine, texts = True, []
for directory in sorted(d for d in exported.iterdir() if (d / "adapter_config.json").exists()):
    prompts = json.loads((directory / "fingerprint.json").read_text())["prompts"]
    texts = [p["tokens"] for p in prompts]
    plain = base()
    without = [score(plain, t) for t in texts]
    fine &= compare(f"{directory.name}, its base", without, [p["base"] for p in prompts], [[0.0] * len(w) for w in without])
    adapted = PeftModel.from_pretrained(plain, directory).eval()
    fine &= compare(f"{directory.name} in PEFT", [score(adapted, t) for t in texts], [p["adapter"] for p in prompts], without)
if not texts:
    sys.exit(f"{exported} holds no adapter")

without = ours(texts, None)
for dtype, modules in [(torch.float32, "all-linear"), (torch.bfloat16, r".*\.(q|k|v|o|gate|up|down)_proj")]:
    made = get_peft_model(base(), LoraConfig(r=8, lora_alpha=16, target_modules=modules, task_type="CAUSAL_LM"))
    for name, parameter in made.named_parameters():
        if "lora_" in name:
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.02)
            # What is saved in bfloat16 must be what is scored.
            parameter.data = parameter.data.to(dtype).float()
    scored = [score(made.eval(), t) for t in texts]
    for name, parameter in made.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(dtype)
    home = work / f"peft-{str(dtype).removeprefix('torch.')}"
    made.save_pretrained(home)
    fine &= compare(f"PEFT's own, {str(dtype).removeprefix('torch.')}, in our engine", scored, ours(texts, home), without)
sys.exit(0 if fine else f"a token is off by more than {TOLERANCE}, or an adapter does nothing")
