#!/usr/bin/env python3
"""Half an hour of load: does memory grow, do files stay open?

usage: benches/soak.py BIN_DIR [MINUTES] [RATE]     BIN_DIR as for kill.py; RATE requests a second, default 2000

Plain requests at RATE, 20 streams at a time, some feedback, some clients that leave. Memory (RSS) and open files are read
every ten seconds. Before, there are ten seconds as fast as it goes, so that memory is what the highest load takes; the first
fifth of the time is for filling caches; then the mean of each quarter of the rest is compared.
"""
import http.client
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

bin_dir = sys.argv[1]
minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 30
rate = sys.argv[3] if len(sys.argv) > 3 else "2000"
work = tempfile.mkdtemp(prefix="uno-soak-")
run, port = f"{work}/run", 19022
load = f"{bin_dir}/examples/load"
address = f"http://127.0.0.1:{port}/v1/chat/completions"
seconds, stop = minutes * 60, threading.Event()


def spawn(*words, **more):
    return subprocess.Popen([str(w) for w in words], **more)


def streams(told):
    while not stop.is_set():
        out = subprocess.run([load, "streams", address, "--count", "20"], capture_output=True, text=True).stdout
        told.append(json.loads(out))


def feedback(counts):
    """One question a second with feedback, and one whose stream is left at once."""
    head = {"content-type": "application/json"}
    while not stop.wait(1):
        body = {"model": "uno", "messages": [{"role": "user", "content": f"What about {time.time()}?"}], "max_tokens": 8}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3600)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), head)
        reply = connection.getresponse()
        reply.read()
        connection.request("POST", "/v1/feedback", json.dumps({"decision": reply.headers["x-uno-decision"], "thumbs": "up"}), head)
        counts["feedback"] += connection.getresponse().status == 200
        connection.close()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3600)
        connection.request("POST", "/v1/chat/completions", json.dumps({**body, "stream": True}, separators=(",", ":")), head)
        connection.getresponse().read(1)
        connection.close()
        counts["left"] += 1


upstream = spawn(load, "upstream", "127.0.0.1:19021", stdout=subprocess.DEVNULL)
spawn(load, "plan", f"{work}/run").wait()
gateway = spawn(f"{bin_dir}/uno", "serve", "--run", run, "--listen", f"127.0.0.1:{port}", "--json", "--set",
                "target.url=http://127.0.0.1:19021/v1", "--set", "target.model=static", "--set", "serve.limits.idle_seconds=3600",
                "--set", "serve.limits.first_byte_seconds=3600", stdout=subprocess.DEVNULL)
time.sleep(3)
spawn(load, "fire", address, "--seconds", 10, "--connections", 64, "--questions", 200, stdout=subprocess.DEVNULL).wait()
fire = spawn(load, "fire", address, "--rate", rate, "--seconds", seconds, "--connections", 32, "--questions", 200,
             stdout=subprocess.PIPE, text=True)
told, counts = [], {"feedback": 0, "left": 0}
threads = [threading.Thread(target=streams, args=(told,)), threading.Thread(target=feedback, args=(counts,))]
[thread.start() for thread in threads]
samples, started = [], time.monotonic()
while time.monotonic() - started < seconds:
    time.sleep(10)
    status = open(f"/proc/{gateway.pid}/status").read()
    rss = int(status.split("VmRSS:")[1].split()[0]) / 1024
    files = len(os.listdir(f"/proc/{gateway.pid}/fd"))
    samples.append((rss, files))
    if len(samples) % 12 == 1:
        print(f"{time.monotonic() - started:6.0f} s  rss {rss:7.1f} MiB  files {files}", flush=True)
stop.set()
[thread.join() for thread in threads]
fired = json.loads(fire.communicate()[0])
gateway.send_signal(signal.SIGTERM)
code = gateway.wait()
upstream.kill()
rest = samples[len(samples) // 5:]
quarter = max(1, len(rest) // 4)
rss = [statistics.mean(s[0] for s in rest[i * quarter:(i + 1) * quarter]) for i in range(4)]
files = [statistics.mean(s[1] for s in rest[i * quarter:(i + 1) * quarter]) for i in range(4)]
rows = sqlite3.connect(f"{run}/live.db").execute("select count(*) from requests").fetchone()[0]
broken = sum(t["streams"] - t["whole"] for t in told)
growth = max(rss[1:]) / rss[0] - 1
print(json.dumps({
    "minutes": minutes, "fired": fired, "streams": sum(t["streams"] for t in told), "broken": broken, **counts, "rows": rows,
    "rss_mib_by_quarter": [round(r, 1) for r in rss], "rss_growth_percent": round(100 * growth, 2),
    "files_by_quarter": [round(f, 1) for f in files], "exit": code}))
sys.exit(bool(growth > 0.05 or broken or fired["failed"] or code or max(files[1:]) > files[0] * 1.05 + 2))
