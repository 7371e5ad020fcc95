"""The commands that make each link of the chain again, as they can be typed."""

import shlex


def checkout_command(md5: str) -> str:
    """The command that makes a dataset the current one."""
    return shlex.join(["ganflow", "dataset", "checkout", md5])


def reproduce_command(version: int) -> str:
    """The command that trains a version once more and compares."""
    return shlex.join(["ganflow", "reproduce", str(version)])


def release_command(version: int, name: str, seed: int, count: int, truncation: float | None = None) -> str:
    """The command that draws a release."""
    options = ["--model", str(version), "--name", name, "--seed", str(seed), "-n", str(count)]
    return shlex.join(["ganflow", "generate", *options, *_truncation(truncation)])


def image_command(version: int, seed: int, label: int, truncation: float | None = None) -> str:
    """The command that shows one image, enlarged."""
    options = ["--model", str(version), "--seed", str(seed), "--label", str(label), "-n", "1"]
    return shlex.join(["ganflow", "sample", *options, *_truncation(truncation)])


def _truncation(psi: float | None) -> list[str]:
    return [] if psi is None else ["--truncation", str(psi)]
