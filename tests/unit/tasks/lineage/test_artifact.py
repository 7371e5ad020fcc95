"""The chain on Prefect's page, as a Markdown parser reads it."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gan.errors import InputError
from tasks.lineage import artifact
from tasks.lineage.artifact import lineage_markdown
from tasks.lineage.records import Dataset, Image, Lineage, ModelVersion, Release, Training
from tasks.runtime.settings import Settings

names = st.text(max_size=30) | st.sampled_from(["a|b", "`", "<script>", "[a](http://b)", "\n# a", "\u202eb", "- x"])


def chain(text):
    return Lineage(
        asked=text,
        kind="release",
        name=text,
        datasets=(Dataset(md5=text, source=text, licence=text, again=text or None),),
        trainings=(Training(run_id=text, dataset_md5=text, status=text, preset=text, code=text),),
        versions=(ModelVersion(version=1, run_id=text, model=text, aliases=(text,), verdict=text, again=text or None),),
        releases=(
            Release(
                name=text, md5=text, model=text, model_version=1, training_run=text, dataset_md5=text, state=text,
                again=text or None,
            ),
        ),
        images=(
            Image(release=text, row=0, file=text, row_of_file=0, seed=0, label=0, class_name=text, sha256=text),
        ),
    )  # fmt: skip


@given(names)
def test_no_name_becomes_anything_else(text):
    page = lineage_markdown(chain(text))
    assert page.replace("\n", "").isprintable()
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    kinds = [each.type for token in tokens for each in (token, *(token.children or ()))]
    assert not [kind for kind in kinds if kind.startswith(("html", "link", "image", "heading", "fence"))]
    assert kinds.count("tr_open") == 6
    assert kinds.count("td_open") == 15


def test_each_command_stands_below_the_table():
    page = lineage_markdown(chain("abc"))
    assert "| › › › release (this) | abc | unknown images, seeds from unknown; state abc; " in page
    assert page.count(", again: `abc`") == 3


def test_a_chain_that_cannot_be_gathered_is_a_warning(monkeypatch, tmp_path, caplog):
    def fail(settings, asked):
        raise InputError("MLflow is away")

    monkeypatch.setattr(artifact, "find_lineage", fail)
    monkeypatch.setattr(artifact, "get_run_logger", lambda: logging.getLogger("lineage"))
    artifact.show_lineage(Settings(ganflow_home=tmp_path), "version/1")
    assert [record.getMessage() for record in caplog.records] == [
        "the lineage of version/1 could not be shown (MLflow is away)"
    ]


@pytest.fixture
def shown(monkeypatch):
    found = {}
    monkeypatch.setattr(
        "tasks.reports.artifacts.create_markdown_artifact", lambda key, **values: found.update({key: values})
    )
    return found


def test_a_chain_is_an_artifact(monkeypatch, tmp_path, shown):
    monkeypatch.setattr(artifact, "find_lineage", lambda settings, asked: chain("abc"))
    artifact.show_lineage(Settings(ganflow_home=tmp_path), "release/abc")
    assert shown["lineage"]["markdown"] == lineage_markdown(chain("abc"))
    assert shown["lineage-picture"]["markdown"].startswith("![what release/abc was made from, and what of it](data:")
