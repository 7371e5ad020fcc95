"""The commands that make each link of the chain again, as they can be typed."""

import shlex


def checkout_command(md5: str) -> str:
    """The command that makes a dataset the current one."""
    return shlex.join(["ganflow", "dataset", "checkout", md5])


def reproduce_command(version: int) -> str:
    """The command that trains a version once more and compares."""
    return shlex.join(["ganflow", "reproduce", str(version)])


def release_command(version: int, name: str, seed: int, count: int) -> str:
    """The command that draws a release."""
    options = ["--model", str(version), "--name", name, "--seed", str(seed), "-n", str(count)]
    return shlex.join(["ganflow", "generate", *options])


def image_command(version: int, seed: int, label: int) -> str:
    """The command that shows one image, enlarged."""
    return shlex.join(
        ["ganflow", "sample", "--model", str(version), "--seed", str(seed), "--label", str(label), "-n", "1"]
    )
