"""The science: data, networks, losses, training loop, metrics, sampling and export in plain PyTorch."""
