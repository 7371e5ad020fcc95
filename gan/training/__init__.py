"""A training on one worker or many: its loop, its step, its batches, its checkpoints."""
