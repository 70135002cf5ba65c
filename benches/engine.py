#!/usr/bin/env python3
"""The engine beside its peers, in one run, and how it grows with length, batch and adapters; prints Markdown.

usage: benches/engine.py UNO [--vllm PYTHON --hf-model DIR] [--sentence-transformers PYTHON [--minilm DIR]] [--quick]

UNO is a release binary. PYTHON is an interpreter that has the peer installed, DIR the default chat model in Hugging Face's
format. Generation: prompts of 124 tokens, 128 new ones, greedy, second call; all new tokens over wall time.
"""
import argparse
import json
import os
import shutil
import subprocess
import tempfile

VLLM = """
import json, sys, time
from vllm import LLM, SamplingParams
if __name__ == "__main__":
    llm = LLM(model=sys.argv[1], dtype="bfloat16", max_model_len=512, enforce_eager=True, enable_prefix_caching=False)
    def run(batch, new, shift):
        prompts = [{"prompt_token_ids": [(i * 7919 + (row + shift) * 104729 + 17) % 49152 for i in range(124)]} for row in range(batch)]
        started = time.time()
        llm.generate(prompts, SamplingParams(temperature=0, max_tokens=new, ignore_eos=True), use_tqdm=False)
        return time.time() - started
    for batch in (1, 8, 32):
        run(batch, 128, 0)
        seconds, prefill = run(batch, 128, 1000), run(batch, 1, 2000)
        print("PEER", json.dumps({"batch": batch, "all": batch * 128 / seconds, "prefill": batch * 124 / prefill}), flush=True)
"""

SENTENCES = """
import json, sys, time
from sentence_transformers import SentenceTransformer, models
encoder = models.Transformer(sys.argv[1], max_seq_length=256)
parts = [encoder, models.Pooling(encoder.get_word_embedding_dimension()), models.Normalize()]
model = SentenceTransformer(modules=parts, device="cpu")
sentence = "The traveller asked the keeper of the bridge about the weather, the price of bread and the way. "
texts = [f"{i}. {sentence * 3}" for i in range(500)]
model.encode(texts[:64])
started = time.time()
model.encode(texts)
print("PEER", json.dumps(len(texts) / (time.time() - started)), flush=True)
"""


def uno(binary, *words):
    out = subprocess.run([binary, "bench", *map(str, words), "--json"], capture_output=True, text=True)
    if out.returncode != 0:
        raise SystemExit(f"uno bench {' '.join(map(str, words))}: {out.stderr.strip()}")
    value = json.loads(out.stdout)
    return value.get("data", value)


def generate(binary, **options):
    words = [w for key, value in options.items() for w in ("--" + key.replace("_", "-"), value)]
    return uno(binary, "generate", *words)


def peer(python, code, *words):
    """What a peer prints, or nothing when it does not run here; its last words then go to stderr."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(code)
        file.flush()
        env = dict(os.environ, VLLM_CPU_KVCACHE_SPACE="1", VLLM_NO_USAGE_STATS="1")
        out = subprocess.run([python, file.name, *words], capture_output=True, text=True, env=env)
    found = [json.loads(line[5:]) for line in out.stdout.splitlines() if line.startswith("PEER ")]
    if out.returncode != 0 and not found:
        os.write(2, ("\n".join(out.stderr.splitlines()[-3:]) + "\n").encode())
    return found


def row(*cells):
    print("| " + " | ".join(str(c) for c in cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("uno")
    parser.add_argument("--vllm")
    parser.add_argument("--hf-model")
    parser.add_argument("--sentence-transformers", dest="sentences")
    parser.add_argument("--minilm", default="sentence-transformers/all-MiniLM-L6-v2", help="its name or directory")
    parser.add_argument("--quick", action="store_true", help="half as many new tokens in the growth table")
    args = parser.parse_args()
    if shutil.which(args.uno) is None:
        parser.error(f"{args.uno} is no program: build one with `cargo build --release`, then name target/release/uno")

    row("generation", "batch 1", "batch 8", "batch 32", "prefill at 32")
    row("---", "---", "---", "---", "---")
    ours = {}
    for dtype in ("f32", "bf16", "int8"):
        ours[dtype] = [generate(args.uno, batch=b, dtype=dtype) for b in (1, 8, 32)]
        cells = [f"{r['tokens_per_second']:.0f}" for r in ours[dtype]]
        row(f"uno {dtype}", *cells, f"{ours[dtype][2]['prefill_tokens_per_second']:.0f}")
    if args.vllm and args.hf_model:
        found = peer(args.vllm, VLLM, args.hf_model)
        if found:
            row("vLLM bf16", *[f"{r['all']:.0f}" for r in found], f"{found[-1]['prefill']:.0f}")
            for dtype in ("bf16", "int8"):
                ratios = [f"{o['tokens_per_second'] / p['all']:.1f} x" for o, p in zip(ours[dtype], found)]
                prefill = ours[dtype][2]["prefill_tokens_per_second"] / found[-1]["prefill"]
                row(f"uno {dtype} / vLLM", *ratios, f"{prefill:.1f} x")

    new = 64 if args.quick else 128
    print("\nHow it grows, batch 8, new tokens per second, decoding only:\n")
    row("", "bf16", "int8")
    row("---", "---", "---")
    grown = [(f"prompt of {n}", {"prompt_tokens": n}) for n in (32, 124, 512, 1024)]
    grown += [(f"{n} adapters of rank 64", {"adapters": n}) for n in (1, 2, 4, 8)]
    grown += [("8 adapters of rank 16", {"adapters": 8, "rank": 16})]
    for name, options in grown:
        runs = [generate(args.uno, batch=8, new_tokens=new, dtype=d, **options) for d in ("bf16", "int8")]
        row(name, *[f"{r['decode_tokens_per_second']:.0f}" for r in runs])

    print("\nEmbedding, texts of about 65 tokens:\n")
    row("", "texts/s")
    row("---", "---")
    for dtype in ("f32", "bf16", "int8"):
        row(f"uno {dtype}", f"{uno(args.uno, 'embed', '--dtype', dtype)['texts_per_second']:.0f}")
    if args.sentences:
        for rate in peer(args.sentences, SENTENCES, args.minilm):
            row("sentence-transformers", f"{rate:.0f}")


main()
