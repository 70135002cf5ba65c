"""Trains a LoRA adapter with TRL from a job that uno wrote.

    accelerate launch launcher.py DIR       trains, or goes on where an earlier process stopped
    accelerate launch launcher.py --check   prints versions and devices as one JSON object

DIR holds job.json, train.jsonl and validation.jsonl (token ids as uno rendered them with the serving template: nothing is
tokenised or cut here) and initial/ (the adapter to start from, PEFT). It receives training.jsonl (one event a line), epoch-N/
(PEFT), failure.json when something is wrong, and checkpoints/ (what a killed run goes on from).
"""
import json
import os
import sys
import threading
from importlib import metadata
from pathlib import Path

from reporting import COMPLETE, Events, Order, metered, reporter

TRL = "0.24."  # the trainers below lean on its column names and its loss


class JobError(Exception):
    """Something that the user can put right; `kind` is what uno's message depends on."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def watch_stdin():
    """Ends this process when uno ends, in whatever way: uno holds the other end of stdin and never writes."""

    def wait():
        while os.read(0, 4096):
            pass
        os._exit(143)

    threading.Thread(target=wait, daemon=True).start()


def loss_weights(config):
    """Weights of TRL's sigmoid and likelihood terms; None for completions."""
    loss = config["loss"]
    return [loss["dpo_weight"], loss["sft_weight"]] if loss["kind"] == "dpo_sft" else None


def rows(path, weights):
    examples = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if weights:
        return [{f"{part}_input_ids": e[part] for part in ("prompt", "chosen", "rejected")} for e in examples]
    return [
        {"input_ids": e["prompt"] + e["completion"],
         "completion_mask": [0] * len(e["prompt"]) + [1] * len(e["completion"])}
        for e in examples
    ]


def arguments(job, directory, classes, weights):
    """TRL's settings for uno's; what is not named here is TRL's default."""
    import torch

    config = job["config"]
    world = int(os.environ.get("WORLD_SIZE", "1"))
    accumulate, rest = divmod(config["batch"], config["micro_batch"] * world)
    if rest or not accumulate:
        raise JobError("settings", f"`batch` is {config['batch']}, which {world} process(es) with `micro_batch` "
                       f"{config['micro_batch']} do not share evenly: make it a multiple of {world * config['micro_batch']}")
    cuda = torch.cuda.is_available()
    common = dict(
        output_dir=str(directory / "checkpoints"), num_train_epochs=config["epochs"],
        per_device_train_batch_size=config["micro_batch"], gradient_accumulation_steps=accumulate,
        per_device_eval_batch_size=1, prediction_loss_only=True,
        learning_rate=config["lr"], lr_scheduler_type="cosine", warmup_ratio=0.0, optim="adamw_torch",
        adam_beta1=config["betas"][0], adam_beta2=config["betas"][1], adam_epsilon=config["eps"],
        weight_decay=config["weight_decay"], max_grad_norm=config["max_grad_norm"],
        bf16=config["precision"] == "bf16", fp16=False, use_cpu=not cuda, dataloader_pin_memory=cuda,
        gradient_checkpointing=job["gradient_checkpointing"],
        gradient_checkpointing_kwargs={"use_reentrant": False} if job["gradient_checkpointing"] else None,
        ddp_find_unused_parameters=False, seed=config["seed"] % 2**32, max_length=None,
        logging_steps=1, logging_nan_inf_filter=False, report_to=[], disable_tqdm=True,
        eval_strategy="epoch" if job["validation"] else "no",
        save_strategy="steps", save_steps=config["checkpoint_every_steps"], save_total_limit=2,
    )
    if weights:
        # Logits of the prompt are worth nothing and cost the most memory.
        return classes.DPOConfig(
            beta=config["beta"], loss_type=["sigmoid", "sft"], loss_weights=weights, max_prompt_length=None,
            disable_dropout=not config["dropout_in_dpo"], use_logits_to_keep=True, **common)
    return classes.SFTConfig(
        completion_only_loss=True, dataset_kwargs={"skip_prepare_dataset": True}, **common)


def train(directory):
    job = json.loads((directory / "job.json").read_text(encoding="utf-8"))
    found = metadata.version("trl")
    if not found.startswith(TRL):
        raise JobError("version", f"trl {found} is installed, this launcher is for {TRL}*")
    import torch
    import trl
    from datasets import Dataset
    from peft import LoraConfig, PeftModel
    from tokenizers import Tokenizer, models
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback

    config = job["config"]
    weights = loss_weights(config)
    args = arguments(job, directory, trl, weights)  # before the model: DeepSpeed's ZeRO-3 wants to know first
    base = job["base"]
    dtype = torch.bfloat16 if config["precision"] == "bf16" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, local_files_only=True)
    lora = LoraConfig.from_pretrained(directory / "initial")
    lora.lora_dropout, lora.base_model_name_or_path = config["dropout"], base
    model = PeftModel.from_pretrained(model, directory / "initial", is_trainable=True, config=lora)

    events, order = Events(directory / "training.jsonl"), Order(job["orders"])
    report = reporter(TrainerCallback, job, weights, directory, events, order)
    data = {"train_dataset": Dataset.from_list(rows(directory / "train.jsonl", weights))}
    if job["validation"]:
        data["eval_dataset"] = Dataset.from_list(rows(directory / "validation.jsonl", weights))
    # TRL wants a tokenizer, if only for the id that it pads with; what is padded is masked, so any id will do.
    nothing = Tokenizer(models.WordLevel({"<pad>": 0}, unk_token="<pad>"))
    padding = PreTrainedTokenizerFast(tokenizer_object=nothing, pad_token="<pad>", eos_token="<pad>")
    trainer = metered(trl.DPOTrainer if weights else trl.SFTTrainer, order)(
        model=model, args=args, processing_class=padding, callbacks=[report], **data)
    report.trainer = trainer

    marked = (directory / "checkpoints").glob(f"checkpoint-*/{COMPLETE}")
    done = max((int(path.parent.name.split("-")[1]) for path in marked), default=0)
    if done:
        events.steps = {step: event for step, event in events.steps.items() if step <= done}
        epoch = min(done // job["steps_per_epoch"] + 1, config["epochs"])
        report.tell(trainer.state, {"event": "resumed", "step": done, "epoch": epoch})
    trainer.train(resume_from_checkpoint=str(directory / "checkpoints" / f"checkpoint-{done}") if done else None)


def check():
    """Versions and devices, for `uno doctor`."""
    import torch

    def version(name):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None

    if os.environ.get("RANK", "0") == "0":
        names = ("torch", "trl", "peft", "transformers", "accelerate", "datasets", "deepspeed")
        devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        print(json.dumps({"uno_check": {name: version(name) for name in names}, "devices": devices,
                          "processes": int(os.environ.get("WORLD_SIZE", "1"))}), flush=True)


def main(words):
    if "--watch-stdin" in words:
        watch_stdin()
    if "--check" in words:
        return check()
    directory = Path(words[0]).resolve()
    try:
        train(directory)
    except (Exception, KeyboardInterrupt) as error:
        kind = getattr(error, "kind", None)
        if isinstance(error, (ImportError, metadata.PackageNotFoundError)):
            kind = "import"
        elif isinstance(error, MemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error):
            kind = "memory"
        message = f"{type(error).__name__}: {error}" if kind not in ("settings", "version") else str(error)
        failure = {"kind": kind or "error", "message": message.strip()[:2000]}
        try:
            with open(directory / "failure.json", "x", encoding="utf-8") as file:  # the first of all ranks is the cause
                json.dump(failure, file)
        except FileExistsError:
            pass
        raise


if __name__ == "__main__":
    main(sys.argv[1:])
