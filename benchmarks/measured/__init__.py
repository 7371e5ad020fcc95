"""What all benchmarks do alike: read a clock, round and show figures."""
