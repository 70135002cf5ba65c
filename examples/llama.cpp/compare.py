#!/usr/bin/env python3
"""Our adapters in llama.cpp, compared with our own engine.

    compare.py MODEL.gguf RUN_DIR EXPORT_DIR

Needs xllamacpp (llama.cpp as a wheel). For every EXPORT_DIR/NAME.gguf it takes the texts of RUN_DIR/adapters/NAME/fingerprint.json,
which hold what our engine gives each token under the base model and with the adapter, and asks llama.cpp for the same
tokens' log-probabilities without and with `--lora`. It also lets llama.cpp answer greedily and counts how many tokens are those
that our engine answered with the adapter.

llama.cpp rounds activations to 8 bits before it multiplies them with Q4_1 weights, we do not: numbers agree to about 0.1, not
to 0.001. The question is whether llama.cpp with our adapter is where we are with it, and not where the base is.
"""
import json
import sys
from pathlib import Path

import xllamacpp

model, run, exported = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
# Tokens of "<|im_start|>assistant\n" in SmolLM2's template: what follows is the answer.
TURN = [1, 520, 9531, 198]


class LlamaCpp:
    """A llama.cpp server in this process, with an adapter or without."""

    def __init__(self, lora=None):
        params = xllamacpp.CommonParams()
        params.model.path = model
        params.n_ctx, params.n_parallel, params.n_gpu_layers = 1024, 1, 0
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
        params.verbosity = 0
        if lora:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
        self.server = xllamacpp.Server(params)

    def complete(self, prompt, n, n_probs=1):
        """The next `n` greedy tokens, each with the `n_probs` most likely ones."""
        request = {"prompt": prompt, "max_tokens": n, "n_probs": n_probs, "temperature": 0, "cache_prompt": True}
        answer = self.server.handle_completions(request)
        if "choices" not in answer:
            raise SystemExit(f"llama.cpp refused: {answer}")
        return answer["choices"][0]["logprobs"]["content"]

    def logprob(self, prefix, token):
        """Natural-log probability of `token` after `prefix`, before any sampling."""
        for n_probs in (50, 5000, 49152):
            top = self.complete(prefix, 1, n_probs)[0]["top_logprobs"]
            for entry in top:
                if entry["id"] == token:
                    return entry["logprob"]
        raise SystemExit(f"llama.cpp names no probability for token {token}")

    def text(self, tokens):
        """Log-probabilities of all tokens after the first."""
        return [self.logprob(tokens[:i], tokens[i]) for i in range(1, len(tokens))]

    def greedy(self, prompt, n):
        return [entry["id"] for entry in self.complete(prompt, n)]


def distance(a, b):
    return sum(abs(x - y) for x, y in zip(a, b)) / len(a)


def answer_at(tokens):
    """Where the answer begins."""
    return max(i for i in range(len(tokens)) if tokens[i : i + len(TURN)] == TURN) + len(TURN)


adapters = sorted(exported.glob("*.gguf"))
if not adapters:
    sys.exit(f"{exported} holds no .gguf file")
prompts = {p: json.loads((run / "adapters" / p.stem / "fingerprint.json").read_text())["prompts"] for p in adapters}
base = LlamaCpp()
without = {p: [base.text(q["tokens"]) for q in prompts[p]] for p in adapters}
begin = {p: [answer_at(q["tokens"]) for q in prompts[p]] for p in adapters}
alone = {
    p: [base.greedy(q["tokens"][:at], len(q["tokens"]) - at) for q, at in zip(prompts[p], begin[p])] for p in adapters
}
del base

print("mean |log-prob difference| over all tokens, and answer tokens that llama.cpp writes as our engine with the adapter does")
print(f"{'adapter':30} {'text':>4}  {'base':>7} {'adapter':>8}  {'crossed':>8} {'ours':>7}   {'same greedy tokens':>18}")
failed = []
for path in adapters:
    lora = LlamaCpp(path)
    for i, prompt in enumerate(prompts[path]):
        tokens, at = prompt["tokens"], begin[path][i]
        with_adapter = lora.text(tokens)
        ours = tokens[at:]
        same = lambda theirs: next((n for n, (a, b) in enumerate(zip(theirs, ours)) if a != b), min(len(theirs), len(ours)))
        greedy = lora.greedy(tokens[:at], len(ours))
        agree_base = distance(without[path][i], prompt["base"])
        agree = distance(with_adapter, prompt["adapter"])
        crossed = distance(with_adapter, prompt["base"])
        effect = distance(prompt["base"], prompt["adapter"])
        print(
            f"{path.stem:30} {i + 1:4}  {agree_base:7.4f} {agree:8.4f}  {crossed:8.4f} {effect:7.4f}   "
            f"with {same(greedy):2} of {len(ours)}, base {same(alone[path][i]):2}"
        )
        if agree > 0.5 * crossed:
            failed.append(path.stem)
    del lora
print(
    "base: llama.cpp and ours without adapter; adapter: both with it; crossed: llama.cpp with, ours without; ours: the adapter's"
    " effect in our engine"
)
if failed:
    sys.exit(f"not nearer to our adapter than to the base: {', '.join(failed)}")
