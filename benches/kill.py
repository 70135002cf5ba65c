#!/usr/bin/env python3
"""Kills the gateway 20 times under load and looks at what is left: acknowledged feedback, whole rows, time to readiness.

usage: benches/kill.py BIN_DIR [ROUNDS]     BIN_DIR holds `uno` and `examples/load` (cargo build --release; see serve.sh)
"""
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

bin_dir, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
work = tempfile.mkdtemp(prefix="uno-kill-")
run, upstream_port, port = f"{work}/run", 19011, 19012
question = json.dumps({"model": "uno", "messages": [{"role": "user", "content": "How do I cook rice?"}], "max_tokens": 8})


def start():
    words = [f"{bin_dir}/uno", "serve", "--run", run, "--listen", f"127.0.0.1:{port}", "--json"]
    words += ["--set", f"target.url=http://127.0.0.1:{upstream_port}/v1", "--set", "target.model=static"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL)


def until_ready(started):
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return time.monotonic() - started
        except OSError:
            pass
        time.sleep(0.005)


def give(acknowledged, asked, stop, who):
    """Asks, and gives feedback on the answer, until the gateway is gone. Notes what was said to be kept."""
    connection, n = http.client.HTTPConnection("127.0.0.1", port, timeout=5), 0
    while not stop.is_set():
        try:
            connection.request("POST", "/v1/chat/completions", question, {"content-type": "application/json"})
            reply = connection.getresponse()
            reply.read()
            decision = reply.headers["x-uno-decision"]
            asked.append(decision)
            author = f"{who}-{n}"
            body = json.dumps({"decision": decision, "author": author, "rating": 0.75, "comment": "note " * 50})
            connection.request("POST", "/v1/feedback", body, {"content-type": "application/json"})
            reply = connection.getresponse()
            if reply.status == 200 and json.loads(reply.read()).get("decision") == decision:
                acknowledged.append((decision, author))
            n += 1
        except (OSError, http.client.HTTPException, ValueError):
            return


upstream = subprocess.Popen([f"{bin_dir}/examples/load", "upstream", f"127.0.0.1:{upstream_port}"], stdout=subprocess.DEVNULL)
acknowledged, asked, ready = [], [], []
try:
    for round_ in range(rounds):
        started = time.monotonic()
        gateway = start()
        ready.append(until_ready(started))
        stop = threading.Event()
        load = subprocess.Popen(
            [f"{bin_dir}/examples/load", "fire", f"http://127.0.0.1:{port}/v1/chat/completions", "--rate", "1000", "--seconds", "2"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        threads = [threading.Thread(target=give, args=(acknowledged, asked, stop, f"r{round_}t{t}")) for t in range(8)]
        [thread.start() for thread in threads]
        time.sleep(0.5 + 0.05 * round_)
        os.kill(gateway.pid, signal.SIGKILL)
        gateway.wait()
        stop.set()
        [thread.join() for thread in threads]
        load.kill()
        load.wait()
    gateway = start()
    until_ready(time.monotonic())
    gateway.send_signal(signal.SIGTERM)
    assert gateway.wait() == 0
finally:
    upstream.kill()

store = sqlite3.connect(f"{run}/live.db")
kept = set(store.execute("select decision, author from feedback where rating = 0.75 and length(comment) = 250"))
lost = [a for a in acknowledged if a not in kept]
rows = store.execute("select messages, answer, outcome, status, total_us from requests").fetchall()
half = [r for r in rows if not r[0] or json.loads(r[0])[0]["content"] == "" or (r[2] == "ok" and not r[1]) or r[4] <= 0]
sound = store.execute("pragma integrity_check").fetchone()[0]
ids = {r[0] for r in store.execute("select id from requests")}
late = sum(1 for decision in asked if decision not in ids)
print(json.dumps({
    "rounds": rounds, "acknowledged": len(acknowledged), "lost": len(lost), "rows": len(rows), "half_rows": len(half),
    "integrity": sound, "answers_whose_row_was_not_written_yet": late,
    "ready_ms": {"median": round(sorted(ready)[len(ready) // 2] * 1000), "longest": round(max(ready) * 1000)}}))
sys.exit(bool(lost or half or sound != "ok" or max(ready) > 2))
