"""What may stand in `data.window`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.configuration.config import DataConfig
from gan.configuration.parsing import apply_data_overrides, parse_config
from gan.configuration.window import Window, parse_window
from gan.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", Window("auto")),
        ("full", Window("full")),
        ("0:4095", Window("values", 0, 4095)),
        ("-1000:400.5", Window("values", -1000, 400.5)),
        ("1e-3:.5", Window("values", 0.001, 0.5)),
        ("p1:p99", Window("percentiles", 1, 99)),
        ("p0:p99.9", Window("percentiles", 0, 99.9)),
    ],
)
def test_every_form_is_read(text, expected):
    assert parse_window(text) == expected
    assert DataConfig(window=text).window == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Auto",
        "1",
        "5:5",
        "9:1",
        "p1:99",
        "1:p99",
        "p9:p1",
        "p0:p101",
        "-p1:p2",
        "nan:1",
        "0:1e999",
        "0:1\n",
        "0:1:2",
    ],
)
def test_all_else_is_refused_in_one_sentence(text):
    with pytest.raises(ConfigError, match=r"data\.window is «.*» but must be auto, full, two values"):
        parse_config({"data": {"window": text}})


@given(text=st.text(max_size=20))
def test_no_text_does_anything_but_be_read_or_refused(text):
    try:
        window = parse_window(text)
    except ValueError:
        return
    assert window.kind in {"auto", "full"} or window.low < window.high


def test_the_command_line_gives_it_as_it_stands():
    config = parse_config({})
    assert apply_data_overrides(config, ["data.window=0:4095"]).window == "0:4095"
    assert apply_data_overrides(config, ["data.window=p1:p99"]).window == "p1:p99"
    assert config.data.window == "auto"


def test_what_follows_from_the_data_is_known():
    assert [parse_window(text).from_data for text in ("auto", "full", "0:1", "p1:p2")] == [True, False, False, True]
