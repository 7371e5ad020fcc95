"""Scores as Markdown, for cards and for Prefect's artifacts."""

from gan.metrics.copy_control import Control
from gan.metrics.evaluation import Evaluation, Metric
from tasks.reports.markdown import cell, code, name, prose


def metrics_table(evaluation: Evaluation) -> str:
    """A Markdown table of metrics with intervals, and the protocol under it."""
    lines = ["| metric | value | 95 % interval |", "|---|---|---|"]
    real = {f"{key} of {_whose(metric)}": metric for key, metric in evaluation.baseline.items()}
    for key, metric in (evaluation.metrics | real).items():
        interval = "–" if metric.low is None or metric.high is None else f"{metric.low:.4g} to {metric.high:.4g}"
        lines.append(f"| {cell(key)} | {metric.value:.5g} | {interval} |")
    protocol = evaluation.protocol
    lines += [
        "",
        f"Protocol: {protocol.num_generated} generated images against {protocol.num_reference} of the split "
        f"{code(protocol.reference_split)}, resize {code(protocol.resize)}, {name(protocol.network)} in "
        f"{protocol.precision}, dataset {code(protocol.dataset_md5)}.",
    ]
    lines += [f"\n> {prose(warning)}" for warning in evaluation.warnings]
    return "\n".join(lines)


def _whose(metric: Metric) -> str:
    return metric.note if metric.note == Control.AMONG else "held out real images"
