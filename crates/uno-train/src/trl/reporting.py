"""What launcher.py tells uno: an event per step and epoch in training.jsonl, and a PEFT checkpoint per epoch."""
import json
import math
import os
import shutil
import time
from pathlib import Path

COMPLETE = "uno-complete"  # a checkpoint with this file, and all events before it, are on disk


class Events:
    """training.jsonl, and what it says about the part of the run that is kept."""

    def __init__(self, path):
        self.path = path
        raw = path.read_bytes() if path.exists() else b""
        self.whole = raw[: raw.rfind(b"\n") + 1]
        self.torn = len(raw) != len(self.whole)
        self.steps = {}
        for event in map(json.loads, self.whole.splitlines()):
            if event["event"] in ("started", "restarted"):
                self.steps.clear()
            elif event["event"] == "step":
                self.steps[event["step"]] = event

    def append(self, event):
        if self.torn:
            os.truncate(self.path, len(self.whole))
            self.torn = False
        if event["event"] == "step":
            self.steps[event["step"]] = event
        with open(self.path, "ab") as file:
            file.write((json.dumps(event, allow_nan=False) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())


def preferences(logs, prefix, pairs, weights):
    """TRL's metrics in uno's words. TRL adds a pair's rewards once per loss type, times its weight."""
    scale = 1 / sum(weights)
    reward = {name: logs[f"{prefix}rewards/{name}"] * scale for name in ("chosen", "rejected", "margins")}
    return {
        "pairs": pairs,
        "chosen_reward": reward["chosen"],
        "rejected_reward": reward["rejected"],
        "margin": reward["margins"],
        "accuracy": logs[f"{prefix}rewards/accuracies"],
        "chosen_logp": logs[f"{prefix}logps/chosen"],
        "rejected_logp": logs[f"{prefix}logps/rejected"],
    }


def mean_preferences(steps):
    """Means over the pairs of several steps."""
    pairs = sum(step["pairs"] for step in steps)
    names = ("chosen_reward", "rejected_reward", "margin", "accuracy", "chosen_logp", "rejected_logp")
    return {"pairs": pairs, **{n: sum(s[n] * s["pairs"] for s in steps) / max(pairs, 1) for n in names}}


class Order:
    """The order of the examples that uno drew, epoch by epoch."""

    def __init__(self, orders):
        self.orders, self.epoch = orders, 0

    def __len__(self):
        return len(self.orders[0])

    def __iter__(self):
        return iter(self.orders[self.epoch])


def metered(base, order):
    """The trainer `base` over uno's order and token ids, which counts what an optimiser step and a validation saw."""

    class Metered(base):
        step_loss, step_tokens, step_examples = 0.0, 0, 0
        nll, nll_tokens = 0.0, 0

        def _prepare_dataset(self, dataset, *_, **__):
            return dataset

        def _get_train_sampler(self, *_):
            return order

        def create_model_card(self, *_, **__):
            pass

        def training_step(self, model, inputs, *rest, **named):
            if "prompt_input_ids" in inputs:
                masks = [inputs[f"{part}_attention_mask"].sum() for part in ("prompt", "chosen", "rejected")]
                self.step_tokens += int(2 * masks[0] + masks[1] + masks[2])
                self.step_examples += len(inputs["prompt_input_ids"])
            else:
                self.step_tokens += int(inputs["attention_mask"].sum())
                self.step_examples += len(inputs["input_ids"])
            loss = super().training_step(model, inputs, *rest, **named)
            self.step_loss += float(loss)
            return loss

        def take_step(self):
            """Loss, tokens and examples of the step over all processes; the loss unrounded, which TRL's log is not."""
            import torch

            mine = [self.step_loss, self.step_tokens, self.step_examples]
            all_of = self.accelerator.gather(torch.tensor([mine], device=self.args.device, dtype=torch.float32))
            self.step_loss, self.step_tokens, self.step_examples = 0.0, 0, 0
            return float(all_of[:, 0].mean()), int(all_of[:, 1].sum()), int(all_of[:, 2].sum())

        def prediction_step(self, model, inputs, *rest, **named):
            result = super().prediction_step(model, inputs, *rest, **named)
            if "labels" in inputs:  # completions: validation weighs tokens, not examples
                tokens = (inputs["labels"][:, 1:] != -100).sum().to(result[0].device)
                losses, tokens = self.accelerator.gather_for_metrics((result[0].reshape(1), tokens.reshape(1)))
                self.nll += float((losses.double() * tokens).sum())
                self.nll_tokens += int(tokens.sum())
            return result

        def take_validation(self, logs):
            if not self.nll_tokens:
                return logs["eval_loss"]
            loss, self.nll, self.nll_tokens = self.nll / self.nll_tokens, 0.0, 0
            return loss

    return Metered


def reporter(callback_class, job, weights, directory, events, order):
    """Writes an event per step and epoch, publishes a PEFT checkpoint per epoch, and stops a run that has gone wrong."""
    config, per_epoch = job["config"], job["steps_per_epoch"]

    class Reporter(callback_class):
        trainer, began, stopped, epoch_ends, exploded = None, 0.0, False, False, 0
        validation = (None, None)

        def on_epoch_begin(self, args, state, control, **_):
            order.epoch = int(state.epoch + 1e-6)

        def on_step_begin(self, args, state, control, **_):
            self.began = time.monotonic()

        def on_step_end(self, args, state, control, **_):
            if state.global_step % per_epoch == 0:
                control.should_save = False  # it comes after validation

        def on_log(self, args, state, control, logs=None, **_):
            if "eval_loss" in logs:
                pairs = preferences(logs, "eval_", job["validation"], weights) if weights else None
                self.validation = (self.trainer.take_validation(logs), pairs)
            if "loss" not in logs:
                return
            loss, tokens, examples = self.trainer.take_step()
            step, norm, seconds = state.global_step, float(logs["grad_norm"]), time.monotonic() - self.began
            reason = self.wrong(step, loss, norm)
            if reason:
                self.stopped = control.should_training_stop = True
                control.should_save = control.should_evaluate = False
                self.tell(state, {"event": "stopped", "reason": reason})
                return
            event = {
                "event": "step", "step": step, "total_steps": state.max_steps, "epoch": (step - 1) // per_epoch + 1,
                "loss": loss, "lr": logs["learning_rate"], "grad_norm": norm, "tokens": tokens,
                "tokens_per_second": tokens / max(seconds, 1e-9), "seconds": seconds,
            }
            self.tell(state, event | (preferences(logs, "", examples, weights) if weights else {}))

        def wrong(self, step, loss, norm):
            """uno's guard: not finite stops at once, a loss far above the first one after three steps in a row."""
            lr = config["lr"]
            if not (math.isfinite(loss) and math.isfinite(norm)):
                return f"step {step}: loss {loss} and gradient norm {norm} are not finite; try a lower lr than {lr}"
            first = events.steps[1]["loss"] if 1 in events.steps else loss
            limit = config["explosion_ratio"] * max(first, 1.0)
            self.exploded = self.exploded + 1 if loss > limit else 0
            if self.exploded >= 3:
                return (f"step {step}: the loss has exploded from {first:.3f} to {loss:.3f} (limit {limit:.3f}); "
                        f"try a lower lr than {lr}")
            return None

        def on_epoch_end(self, args, state, control, **_):
            if self.stopped:
                control.should_evaluate = control.should_save = False
            else:
                control.should_save = self.epoch_ends = True

        def on_save(self, args, state, control, **_):
            ends, self.epoch_ends = self.epoch_ends, False
            if not state.is_world_process_zero:
                return
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            if ends:
                self.publish(state.global_step // per_epoch, checkpoint, state)
            (checkpoint / COMPLETE).touch()

        def publish(self, epoch, checkpoint, state):
            final, partial = directory / f"epoch-{epoch}", directory / f"epoch-{epoch}.partial"
            for old in (final, partial):
                shutil.rmtree(old, ignore_errors=True)
            partial.mkdir()
            for name in ("adapter_model.safetensors", "adapter_config.json"):
                shutil.copyfile(checkpoint / name, partial / name)
            partial.rename(final)
            steps = [s for s in events.steps.values() if s["epoch"] == epoch and s["step"] <= state.global_step]
            loss, pairs = self.validation
            self.tell(state, {
                "event": "epoch", "epoch": epoch, "dir": final.name,
                "train_loss": sum(s["loss"] for s in steps) / max(len(steps), 1),
                "train_preferences": mean_preferences(steps) if weights else None,
                "validation_loss": loss, "validation_preferences": pairs, "steps": state.global_step,
            })

        def tell(self, state, event):
            if state.is_world_process_zero:
                events.append(event)

    return Reporter()
