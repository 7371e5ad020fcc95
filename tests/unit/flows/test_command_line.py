import shlex

from flows.command_line import command_line


def test_it_can_be_typed_as_it_stands():
    written = command_line(
        "train", "abc", preset="debug", overrides=["a.b=1 2", "c.d=x"], workers=2, warm_start=None, resume="auto"
    )
    assert shlex.split(written.strip("`")) == [
        *("ganflow", "train", "abc", "--preset", "debug", "--set", "a.b=1 2", "--set", "c.d=x"),
        *("--workers", "2", "--resume", "auto"),
    ]
