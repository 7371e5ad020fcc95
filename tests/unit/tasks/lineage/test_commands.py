"""Commands that can be typed as they stand, whatever a release is called."""

import shlex

from tasks.lineage.commands import checkout_command, image_command, release_command


def test_a_name_is_one_word():
    command = release_command(3, "a b;$(c)'", 7, 20)
    assert shlex.split(command) == [
        "ganflow", "generate", "--model", "3", "--name", "a b;$(c)'", "--seed", "7", "-n", "20",
    ]  # fmt: skip
    assert checkout_command("d1") == "ganflow dataset checkout d1"
    assert release_command(3, "r", 7, 20, 0.7).endswith(" -n 20 --truncation 0.7")
    assert image_command(3, 7, -1, 0.7).endswith(" -n 1 --truncation 0.7")
    assert image_command(3, 7, -1) == "ganflow sample --model 3 --seed 7 --label -1 -n 1"
