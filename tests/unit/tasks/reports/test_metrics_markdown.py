"""The table of scores in Markdown."""

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
