#!/usr/bin/env python3
"""The official OpenAI client against a gateway: plain, streamed, feedback. usage: openai_client.py http://HOST:PORT"""
import json
import sys
import urllib.request

import openai

base = sys.argv[1].rstrip("/")
client = openai.OpenAI(base_url=f"{base}/v1", api_key=sys.argv[2] if len(sys.argv) > 2 else "none", max_retries=0)
print("models:", [m.id for m in client.models.list()])

question = [{"role": "user", "content": "How do I cook rice?"}]
raw = client.chat.completions.with_raw_response.create(model="uno", messages=question, max_tokens=24)
answer = raw.parse()
decision = raw.headers["x-uno-decision"]
print("path:", raw.headers["x-uno-path"], "reason:", raw.headers["x-uno-reason"], "overhead ms:", raw.headers["x-uno-overhead-ms"])
print("answer:", answer.choices[0].message.content)

pieces = []
for chunk in client.chat.completions.create(
    model="uno", messages=question, max_tokens=24, stream=True, stream_options={"include_usage": True}
):
    if chunk.choices and chunk.choices[0].delta.content:
        pieces.append(chunk.choices[0].delta.content)
print("streamed:", "".join(pieces), f"({len(pieces)} pieces)")

try:
    client.chat.completions.create(model="no-such-model", messages=question)
    sys.exit("an unknown model was answered")
except openai.NotFoundError as error:
    print("unknown model:", error.status_code)

body = json.dumps({"decision": decision, "thumbs": "up"}).encode()
headers = {"authorization": f"Bearer {client.api_key}", "content-type": "application/json"}
request = urllib.request.Request(f"{base}/v1/feedback", body, headers)
print("feedback:", urllib.request.urlopen(request).read().decode())
