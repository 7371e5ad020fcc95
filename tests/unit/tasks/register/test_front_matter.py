"""The front matter of a model's card, as a YAML parser and Hugging Face's own library read it."""

import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st

from tasks.register.card_facts import CardFacts
from tasks.register.front_matter import model_front_matter


def read(found, class_names=()):
    text = model_front_matter(found, class_names)
    first, front, last = text.partition("\n")[0], text[4:-3], text[-3:]
    assert first == last == "---"
    return yaml.safe_load(front)


def test_what_hugging_face_is_told():
    assert read(CardFacts(run_id="r")) == {
        "library_name": "pytorch",
        "license": "unknown",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["gan", "image-generation"],
    }
    found = CardFacts(run_id="r", licence="CC-BY-4.0", source_url="https://huggingface.co/datasets/org/pets")
    assert read(found, ("cat", "dog")) == {
        "library_name": "pytorch",
        "license": "cc-by-4.0",
        "datasets": ["org/pets"],
        "tags": ["gan", "image-generation", "class-conditional"],
    }


@given(*[st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=80) for _ in range(2)])
def test_wild_texts_come_back_as_they_are(licence, source_url):
    found = CardFacts(run_id="r", licence=licence, source_url=source_url)
    front = read(found, ())
    if front["license"] == "other" and source_url:
        assert front["license_link"] == source_url
    card = ModelCard(f"{model_front_matter(found, ())}\n\n# Card\n", ignore_metadata_errors=False)
    assert card.data.license == front["license"]
    assert card.text.strip() == "# Card"
