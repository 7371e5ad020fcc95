"""Whose images a release stems from, and the chain to it, on its card."""

from tasks.generate.card.origin import UNSAID, lineage_section, origin_section


def test_what_was_said_is_a_row_each_and_the_licence_a_sentence():
    said = origin_section({"name": "pets", "licence": "CC-BY-4.0", "credit": "A | *B*", "source_url": None})
    assert "| source | pets |\n| licence | `CC-BY-4.0` |\n| credit | `A \\| *B*` |\n\nThe front matter names" in said
    assert "published at" not in said
    assert UNSAID not in said


def test_that_nobody_said_it_is_said():
    assert origin_section({}) == f"## Source and licence\n\n{UNSAID}"
    assert UNSAID in origin_section({"name": "pets", "credit": "A"})


def test_the_chain_goes_from_dataset_to_release():
    manifest = {
        "name": "weekly", "dataset_md5": "abc", "model": {"name": "m", "version": 3, "run_id": "r"},
        "generation": {"num_images": 20, "first_seed": 5, "batch_size": 10}, "dataset": {"name": "pets"},
    }  # fmt: skip
    lines = lineage_section(manifest).splitlines()[2:]
    assert lines == [
        "1. dataset `abc`, from pets",
        "2. training run `r`",
        "3. version 3 of the model `m`",
        "4. this release, weekly: 20 images, seeds from 5, drawn 10 at a time",
    ]
    assert "Settings: `of version 3`." in lineage_section(manifest | {"configuration": "of version 3"})


def test_weights_of_others_stand_in_the_chain():
    manifest = {
        "name": "weekly", "dataset_md5": "abc", "model": {"name": "m", "version": 3, "run_id": "r"},
        "generation": {"num_images": 20, "first_seed": 5, "batch_size": 10}, "learnt_through": "features of *others*",
    }  # fmt: skip
    assert "2. training run `r`, learnt through `features of *others*`\n" in lineage_section(manifest)
