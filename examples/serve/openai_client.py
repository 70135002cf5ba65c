#!/usr/bin/env python3
"""The official OpenAI client against a gateway; see e2e.sh. usage: openai_client.py http://HOST:PORT [KEY]

The gateway stands before any server with a chat model (a real vLLM, or the embedded engine of `uno serve`).
"""
import asyncio
import json
import sys
import urllib.error
import urllib.request

import openai

base = sys.argv[1].rstrip("/")
key = sys.argv[2] if len(sys.argv) > 2 else "none"
client = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)
question = [{"role": "user", "content": "How do I cook rice?"}]
chat = client.chat.completions


def check(what, ok, told=""):
    print(f"{'ok  ' if ok else 'FAIL'} {what}: {told}")
    if not ok:
        sys.exit(1)


models = [m.id for m in client.models.list()]
check("models", models[0] == "uno" and len(models) > 1, models)

raw = chat.with_raw_response.create(model="uno", messages=question, max_tokens=24)
answer, decision = raw.parse(), raw.headers["x-uno-decision"]
told = {h: raw.headers.get(f"x-uno-{h}") for h in ("path", "reason", "cluster", "adapter", "overhead-ms")}
check("answer", bool(answer.choices[0].message.content) and answer.usage.completion_tokens > 0, told)

chunks = list(chat.create(model="uno", messages=question, max_tokens=24, stream=True, stream_options={"include_usage": True}))
text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
check("streamed", bool(text) and chunks[-1].usage.completion_tokens > 0, f"{len(chunks)} pieces")


async def many():
    other = openai.AsyncOpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)
    asked = [other.chat.completions.create(model="uno", messages=question, max_tokens=4) for _ in range(16)]
    return await asyncio.gather(*asked)


check("sixteen at once", all(a.choices[0].message.content for a in asyncio.run(many())))

turns = question + [{"role": "assistant", "content": text}, {"role": "user", "content": "Shorter, please."}]
raw = chat.with_raw_response.create(model="uno", messages=turns, max_tokens=8)
check("later turns follow the first", raw.headers["x-uno-reason"] in ("first_turn", "no_plan"), raw.headers["x-uno-reason"])

tools = [{"type": "function", "function": {"name": "timer", "parameters": {"type": "object", "properties": {}}}}]
try:
    raw = chat.with_raw_response.create(model="uno", messages=question, max_tokens=8, tools=tools, tool_choice="none")
    check("tools go to the base model", raw.headers["x-uno-reason"] in ("tools", "no_plan"), raw.headers["x-uno-path"])
except openai.BadRequestError as error:  # the embedded engine has none, and says so
    check("tools are refused in words", "tools" in str(error), error)

odd = {"no_such_field_of_anybody": {"a": [1, None, 1.5e-7]}}
raw = chat.with_raw_response.create(model="uno", messages=question, max_tokens=8, seed=7, temperature=0.5, extra_body=odd)
check("unknown fields do no harm", bool(raw.parse().choices[0].message.content))

raw = chat.with_raw_response.create(model="uno", messages=question, max_tokens=8, extra_headers={"x-uno-path": "base"})
check("the base model by name of the path", raw.headers["x-uno-path"] == "base")
raw = chat.with_raw_response.create(model=models[-1], messages=question, max_tokens=8)
check("a named model is not routed", raw.headers["x-uno-path"] == "direct", models[-1])
try:
    done = client.completions.create(model="uno", prompt="Rice is", max_tokens=4)
    check("plain completion", bool(done.choices[0].text))
except openai.NotFoundError as error:  # the embedded engine has none, and says so
    check("plain completions are refused in words", "completions" in str(error), error)

try:
    chat.create(model="no-such-model", messages=question)
    check("an unknown model is refused", False)
except openai.NotFoundError as error:
    check("an unknown model is refused", True, error.status_code)
try:
    chat.create(model="uno", messages="not a list")
    check("a wrong request is refused", False)
except openai.BadRequestError as error:
    check("a wrong request is refused", True, error.body["message"] if isinstance(error.body, dict) else error)


def feedback(method, path, body=None):
    head = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(f"{base}/v1/feedback{path}", json.dumps(body).encode() if body else None, head, method=method)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


check("feedback", feedback("POST", "", {"decision": decision, "thumbs": "up"}) == 200, decision)
check("feedback again", feedback("POST", "", {"decision": decision, "thumbs": "up"}) == 200)
check("feedback revised", feedback("POST", "", {"decision": decision, "rating": 0.2, "comment": "as a list, please"}) == 200)
check("feedback taken back", feedback("DELETE", f"/{decision}") == 200)
check("feedback on nothing", feedback("POST", "", {"decision": "x", "thumbs": "up"}) == 400)
