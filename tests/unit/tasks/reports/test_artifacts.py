"""Prefect's artifacts as a Markdown parser reads them; those of an ingest are in test_dataset_report."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gan.evaluation.gate import Decision
from gan.evaluation.reason import Reason
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from tasks.reports import artifacts

KEYS = ("num_generated", "num_reference", "seed")


@pytest.fixture
def shown(monkeypatch):
    found = {}
    monkeypatch.setattr(artifacts, "create_markdown_artifact", lambda key, **values: found.update({key: values}))
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.sampled_from(["a\n# b", "<b>", "[a](http://b)", "a](http://b)![", "|", "\u202eb"]))
def test_no_text_becomes_anything_else(shown, text):
    words = {"reference_split": text, "resize": "tf1", "network": text, "network_sha256": "s", "precision": "fp32"}
    protocol = Protocol.model_construct(**words, **dict.fromkeys(KEYS, 4), dataset_md5=text)
    evaluation = Evaluation.model_construct(
        protocol=protocol, metrics={text: Metric(value=1)}, per_class={}, baseline={}, warnings=[text]
    )
    artifacts.metrics(evaluation, f"evaluation of {text}")
    looks = (Reason(check=text, passed=True, said=text), Reason(check=text, passed=False, said=text))
    artifacts.decision(3, "champion", Decision(promote=True, metric=text, reason=text, reasons=looks))
    artifacts.picture("picture", b"png", f"release {text}")
    for key, headings in {"metrics": 1, "decision": 1, "picture": 0}.items():
        tokens = MarkdownIt("commonmark").enable("table").parse(shown[key]["markdown"])
        kinds = [each.type for token in tokens for each in (token, *(token.children or ()))]
        assert kinds.count("heading_open") == headings
        assert kinds.count("image") == (key == "picture")
        assert kinds.count("tr_open") == {"metrics": kinds.count("tr_open"), "decision": 3, "picture": 0}[key]
        assert not [kind for kind in kinds if kind.startswith(("html", "link"))]
        assert shown[key]["markdown"].replace("\n", "").isprintable()
        assert shown[key]["description"].isprintable()
