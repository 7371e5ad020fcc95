"""The words in which Hugging Face's front matter says licences, sizes and sources.

Reference: https://huggingface.co/docs/hub/repositories-licenses, https://huggingface.co/docs/hub/datasets-cards
"""

import re

# Those of Hugging Face's identifiers that are SPDX's in lower case, but for `-only` and `-or-later`.
_WORDS = """
afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 cc-by-2.0 cc-by-2.5
cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
cdla-permissive-2.0 cdla-sharing-1.0 ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gpl-2.0 gpl-3.0 isc lgpl-2.1 lgpl-3.0
lppl-1.3c mit mpl-2.0 ms-pl ncsa ofl-1.1 osl-3.0 postgresql unlicense wtfpl zlib
"""
_SAME = frozenset(_WORDS.split())
_OTHERWISE = {
    "c-uda-1.0": "c-uda",
    "gfdl-1.3": "gfdl",
    "lgpllr": "lgpl-lr",
    "odbl-1.0": "odbl",
    "odc-by-1.0": "odc-by",
    "pddl-1.0": "pddl",
}
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
    (10_000_000_000, "1B<n<10B"),
    (100_000_000_000, "10B<n<100B"),
    (1_000_000_000_000, "100B<n<1T"),
)
_OF_THE_HUB = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/datasets/([\w.-]+(?:/[\w.-]+)?)/?")
_LONGEST = 96  # characters of a repository's name there


def licence_words(licence: str | None, source_url: str | None = None) -> dict[str, str]:
    """Return `license` and, where Hugging Face has no word for it, `license_name` and `license_link`.

    Args:
        licence: an SPDX expression, or whatever else is recorded as one.
        source_url: where the images are published, which is where an unlisted licence is to be found.
    """
    if not licence:
        return {"license": "unknown"}
    word = re.sub(r"-(only|or-later)$", "", licence.lower())
    if word in _SAME or word in _OTHERWISE:
        return {"license": _OTHERWISE.get(word, word)}
    link = {"license_link": source_url} if source_url else {}
    return {"license": "other", "license_name": _slug(licence) or "other", **link}


def size_category(count: int) -> str:
    """Return the class of sizes that so many images belong to."""
    return next((words for limit, words in _SIZES if count < limit), "n>1T")


def hub_dataset(source_url: str | None) -> str | None:
    """Return the name on Hugging Face of the dataset that an address there names; None where it names none."""
    found = _OF_THE_HUB.fullmatch(source_url or "")
    return found[1] if found else None


def source_words(name: str | None, source_url: str | None) -> list[str]:
    """Return `source_datasets` of images that were made from those of a source.

    Args:
        name: of the source.
        source_url: where it is published; only an address on Hugging Face is a name there.
    """
    known = hub_dataset(source_url)
    slug = _slug(name or "")
    return [f"extended|{known}" if known else f"extended|other-{slug}" if slug else "extended|other"]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:_LONGEST]
