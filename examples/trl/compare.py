#!/usr/bin/env python3
"""Compares the steps of two trainings of the same modules: compare.py NATIVE_TRAINING_DIR TRL_TRAINING_DIR

Fails when a step's loss differs by more than 0.1 %. Both started from the same adapter and saw the same examples in the same
order, without dropout, so what is left is rounding.
"""
import json
import sys
from pathlib import Path

TOLERANCE = 1e-3


def events(path):
    """Steps by number and epochs by number; what was repeated after a crash counts once, the last time."""
    found = {"step": {}, "epoch": {}}
    for event in map(json.loads, path.read_text().splitlines()):
        if event["event"] in found:
            found[event["event"]][event[event["event"]]] = event
    return found["step"], found["epoch"]


native, trl = map(Path, sys.argv[1:3])
worst, modules = 0.0, 0
for ours in sorted(native.glob("c*/training.jsonl")):
    theirs = trl / f"{ours.parent.name}-trl" / "training.jsonl"
    (a, epochs_a), (b, epochs_b) = events(ours), events(theirs)
    assert a.keys() == b.keys() and epochs_a.keys() == epochs_b.keys(), f"{ours.parent.name}: other steps or epochs"
    print(f"{ours.parent.name}\n  step        native           TRL   relative   gradient norms")
    for step in sorted(a):
        x, y = a[step]["loss"], b[step]["loss"]
        off = abs(x - y) / abs(x)
        worst = max(worst, off)
        print(f"  {step:4}  {x:12.7f}  {y:12.7f}  {off:9.1e}   {a[step]['grad_norm']:.5f} {b[step]['grad_norm']:.5f}")
    for epoch in sorted(epochs_a):
        x, y = epochs_a[epoch]["validation_loss"], epochs_b[epoch]["validation_loss"]
        if x is not None:
            print(f"  validation after epoch {epoch}: {x:.7f} {y:.7f}")
            worst = max(worst, abs(x - y) / abs(x))
    modules += 1
print(f"{modules} module(s), worst relative difference {worst:.1e}")
if not modules or worst > TOLERANCE:
    sys.exit(f"above {TOLERANCE}")
