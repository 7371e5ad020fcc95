"""What a run is told: the tree, its presets, words and schedules, and where it comes from; without torch."""
