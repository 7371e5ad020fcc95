import shlex

from flows.configure import resolve_config
from flows.resume_hint import command_line
from gan.configuration.presets import preset
from gan.configuration.provenance import Configuration


def test_it_can_be_typed_as_it_stands():
    configuration = resolve_config("debug", ["train.seed=1", 'data.class_map={"a b": null}'])
    written = command_line("train", "abc", configuration=configuration, workers=2, warm_start=None, resume="auto")
    assert shlex.split(written.strip("`")) == [
        *("ganflow", "train", "abc", "--preset", "debug", "--set", "train.seed=1"),
        *("--set", 'data.class_map={"a b": null}', "--workers", "2", "--resume", "auto"),
    ]


def test_what_a_run_carries_needs_no_preset():
    own = Configuration(origin="run", name="abc", config=preset("debug")).changed("evaluation.seed=1")
    assert command_line("register", "abc", configuration=own) == "`ganflow register abc --set evaluation.seed=1`"
