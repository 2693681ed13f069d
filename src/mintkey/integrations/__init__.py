"""What makes other people's software use tokens of ours: one module for each, imported by whoever has it."""
