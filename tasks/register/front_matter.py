"""The front matter of a model's card, by which Hugging Face lists it."""

from collections.abc import Sequence
from typing import Any

from tasks.register.card_facts import CardFacts
from tasks.reports.hugging_face import hub_dataset, licence_words
from tasks.reports.markdown import front_matter


def model_front_matter(found: CardFacts, class_names: Sequence[str]) -> str:
    """Return YAML between two lines of dashes: library, licence and dataset of the images, what the model is for."""
    dataset = hub_dataset(found.source_url)
    values: dict[str, Any] = {
        "library_name": "pytorch",
        **licence_words(found.licence, found.source_url),
        **({"datasets": [dataset]} if dataset else {}),
        # Hugging Face has no word for images by class.
        **({} if class_names else {"pipeline_tag": "unconditional-image-generation"}),
        "tags": ["gan", "image-generation", *(["class-conditional"] if class_names else [])],
    }
    return front_matter(values)
