"""Prefect artifacts: what a person sees on the page of a flow run."""

import base64

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from gan.data.dataset import DatasetInfo
from gan.metrics.evaluation import Evaluation
from tasks.card import metrics_table


def picture(key: str, png: bytes, description: str) -> None:
    """Show a PNG; it is embedded, so that no server is needed for it."""
    # Not an image artifact: Prefect's page prints the whole address below it, here 70,000 characters.
    source = "data:image/png;base64," + base64.b64encode(png).decode()
    create_markdown_artifact(key=key, markdown=f"![{description}]({source})", description=description)


def dataset_table(info: DatasetInfo, md5: str) -> None:
    """Show the images per class and split."""
    rows = [
        {"class": name, "train": info.counts["train"][name], "test": info.counts["test"][name]}
        for name in info.counts["train"]
    ]
    create_table_artifact(
        key="dataset", table=rows, description=f"dataset `{md5}`: {info.num_train} + {info.num_test} images"
    )


def metrics(evaluation: Evaluation, subject: str) -> None:
    """Show a table of metrics with their protocol."""
    create_markdown_artifact(key="metrics", markdown=f"# {subject}\n\n{metrics_table(evaluation)}", description=subject)


def decision(markdown: str) -> None:
    """Show what became of a candidate, and why."""
    create_markdown_artifact(key="decision", markdown=markdown, description="champion or challenger")


def link(key: str, url: str, text: str) -> None:
    """Show a link."""
    create_link_artifact(link=url, link_text=text, key=key)
