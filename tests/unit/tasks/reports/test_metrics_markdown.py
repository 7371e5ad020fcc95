"""The table of scores in Markdown."""

from gan.metrics.copy_control import Control
from gan.metrics.evaluation import Metric
from tasks.reports.metrics_markdown import metrics_table


def test_the_table_of_metrics(evaluation):
    lines = metrics_table(evaluation).splitlines()
    assert lines[2:4] == ["| fid1k | 31.235 | – |", "| kid1k | 0.0123 | -0.0101 to 0.0145 |"]
    text = "\n".join(lines)
    for part in (
        "1000 generated images against 900",
        "`test`",
        "resize `tf1`",
        "inception in bf16",
        "dataset `abc123`",
    ):
        assert part in text
    assert lines[-1] == "> few images: KID decides"
    assert lines[-2] == ""


def test_whose_the_figures_of_real_images_are(evaluation):
    """Those of held out images, or of training images among themselves, which their note says."""
    baseline = {
        "kid14": Metric(value=0.1, note="mean over 100 subsets"),
        "copies56": Metric(value=0.0, note=str(Control.AMONG)),
    }
    table = metrics_table(evaluation.model_copy(update={"baseline": baseline}))
    assert "| kid14 of held out real images | 0.1 |" in table
    assert "| copies56 of training images among themselves | 0 |" in table
