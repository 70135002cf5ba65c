//! LoRA training: SFT and DPO+SFT losses, AdamW, schedule, checkpoints.
