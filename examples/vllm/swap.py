#!/usr/bin/env python3
"""Routed requests of the official OpenAI client while plans change; see swap.sh, which calls this."""
import asyncio
import collections
import json
import subprocess
import sys
import time
import urllib.request

import openai

gateway, admin, server, run, load, count, clients = sys.argv[1:8]
count, clients = int(count), int(clients)
words = json.load(open(f"{run}/words.json"))
experts = [sorted(name for name in words if name.startswith(f"c0{cluster}-")) for cluster in (0, 1)]
dishes = "rice soup bread pasta eggs lentils potatoes beans pancakes dumplings curry stew pie salad noodles risotto".split()
places = "Rome Paris Lisbon Tokyo Berlin Oslo Madrid Vienna Prague Athens Dublin Warsaw Florence Naples Lyon Porto".split()
client = openai.AsyncOpenAI(base_url=f"{gateway}/v1", api_key="none", max_retries=0, timeout=3600)
seen = collections.Counter()
wrong = []


def question(n):
    """Cluster 0 is cooking, 1 is travel."""
    if n % 2 == 0:
        return 0, f"How do I cook {dishes[n // 2 % len(dishes)]} for {n // 32 + 2} people?"
    return 1, f"Which sights should I visit in {places[n // 2 % len(places)]} in {n // 32 + 1} days?"


async def ask(n):
    cluster, text = question(n)
    stream = n % 3 == 0
    body = dict(model="uno", messages=[{"role": "user", "content": text}], max_tokens=5, temperature=0)
    try:
        if stream:
            raw = await client.chat.completions.with_raw_response.create(stream=True, **body)
            pieces = [c.choices[0].delta.content or "" async for c in raw.parse() if c.choices]
            answer = "".join(pieces)
        else:
            raw = await client.chat.completions.with_raw_response.create(**body)
            answer = raw.parse().choices[0].message.content
    except Exception as error:  # noqa: BLE001: any failure of a request counts
        seen["failed"] += 1
        print("failed:", text, repr(error), flush=True)
        return
    path, reason, adapter = (raw.headers.get(f"x-uno-{h}", "") for h in ("path", "reason", "adapter"))
    said = answer.strip().lower().split()[:1]
    said = said[0].strip(".,!\"'") if said else ""
    seen[f"{path} {reason} {adapter}".strip()] += 1
    if path == "expert":
        right = said == words[adapter] and adapter in experts[cluster]
    else:
        # The base model never says any of the words.
        right = path == "base" and said not in words.values()
    if not right:
        wrong.append((text, path, adapter, answer))
        print("WRONG:", wrong[-1], flush=True)


def get(url):
    return json.load(urllib.request.urlopen(url, timeout=10))


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    return urllib.request.urlopen(request, timeout=60).read()


def publish(pair):
    subprocess.run([load, "plan", run, "--adapters", ",".join(pair)], check=True)


def ready():
    return {a for r in get(f"{admin}/admin/state")["replicas"] for a in r["adapters"]}


async def until_ready(pair):
    while not set(pair) <= await asyncio.to_thread(ready):
        await asyncio.sleep(0.2)


async def change(done):
    """Another plan as soon as the one before is served; now and then an adapter is lost on the server."""
    pairs = [(experts[0][i], experts[1][j]) for i, j in ((1, 0), (1, 1), (0, 1), (0, 0))]
    turn = 0
    while not done.is_set():
        pair = pairs[turn % len(pairs)]
        await asyncio.to_thread(publish, pair)
        started = time.monotonic()
        await until_ready(pair)
        seen["plans changed"] += 1
        print(f"plan {turn}: {pair} ready after {time.monotonic() - started:.1f} s; {dict(seen)}", flush=True)
        if turn % 4 == 3:
            await asyncio.to_thread(post, f"{server}/unload_lora_adapter", {"lora_name": pair[0]})
            seen["adapters lost"] += 1
        turn += 1
        await asyncio.sleep(12)


async def main():
    pair = (experts[0][0], experts[1][0])
    publish(pair)
    await until_ready(pair)
    started, done, numbers = time.monotonic(), asyncio.Event(), iter(range(count))

    async def worker():
        for n in numbers:
            await ask(n)

    changing = asyncio.create_task(change(done))
    await asyncio.gather(*(worker() for _ in range(clients)))
    done.set()
    await changing
    seconds = time.monotonic() - started
    by_expert = sum(n for what, n in seen.items() if what.startswith("expert"))
    print(json.dumps({"requests": count, "seconds": round(seconds, 1), "by_experts": by_expert, "wrong": len(wrong),
                      "failed": seen["failed"], "plans_changed": seen["plans changed"], "seen": dict(seen)}))
    if wrong or seen["failed"] or by_expert < count // 2:
        sys.exit(1)


asyncio.run(main())
