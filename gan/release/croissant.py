"""`croissant.json`: a dataset or release described for machines, so that others' loaders and search engines take it.

The same facts give the same bytes; there is no time in it, so `datePublished`, which the standard asks for, is for
whoever publishes to add.

Reference: Croissant Format Specification 1.1 and Croissant RAI 1.0, MLCommons; W3C PROV-O; schema.org.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gan.release.croissant_records import FileFormat, distribution, record_sets

FILE = "croissant.json"
RAI = {
    *("annotationsPerItem", "annotatorDemographics", "dataAnnotationAnalysis", "dataAnnotationPlatform"),
    *("dataAnnotationProtocol", "dataBiases", "dataCollection", "dataCollectionMissingData"),
    *("dataCollectionRawData", "dataCollectionType", "dataImputationProtocol", "dataLimitations"),
    *("dataManipulationProtocol", "dataPreprocessingProtocol", "dataReleaseMaintenancePlan", "dataSocialImpact"),
    *("dataUseCases", "hasSyntheticData", "machineAnnotationTools", "personalSensitiveInformation"),
}
"""Properties of Croissant RAI; `hasSyntheticData` is younger than its vocabulary's last version, and asked for."""

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_TERMS = """arrayShape citeAs column containedIn equivalentProperty extract field fileObject fileProperty fileSet format
includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace
samplingRate separator source subField transform"""
_BY_LANGUAGE = {"@container": "@language"}
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{term: f"cr:{term}" for term in _TERMS.split()},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": _BY_LANGUAGE,
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": _BY_LANGUAGE,
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
_CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
# schema.org's own word for IPTC's trainedAlgorithmicMedia
_SYNTHETIC = "https://schema.org/TrainedAlgorithmicMediaDigitalSource"

Texts = Mapping[str, str | Sequence[str] | bool]


@dataclass(frozen=True)
class DescribedFile:
    """A file: its path in the folder, its sha256, its size in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class DescribedGenerator:
    """What drew a release: the registered model, its version, the dataset that it was trained on."""

    model: str
    version: int
    dataset_md5: str

    @property
    def title(self) -> str:
        """The two that name it."""
        return f"{self.model} version {self.version}"


@dataclass(frozen=True)
class Described:
    """What `croissant` says of a folder.

    Attributes:
        name: of dataset or release.
        description: in a sentence or more.
        format: of the files.
        class_names: by label; empty without classes.
        counts: images by split (`train`, `test`) and class.
        files: all that hold data; of an image folder's pictures only the pattern of their paths is said.
        licence: an SPDX identifier or expression; None where nobody gave one.
        source_url: where the real images are from.
        credit: whom to name.
        generator: that drew the images; None for a dataset of real ones.
        rai: properties of `RAI` that say more, or other than what is said by itself.
    """

    name: str
    description: str
    format: FileFormat
    class_names: Sequence[str]
    counts: Mapping[str, Mapping[str, int]]
    files: Sequence[DescribedFile]
    licence: str | None = None
    source_url: str | None = None
    credit: str | None = None
    generator: DescribedGenerator | None = None
    rai: Texts = field(default_factory=dict)


def croissant(described: Described) -> dict[str, Any]:
    """Describe a folder as a tree of JSON-LD, whose paths are relative to it."""
    assert described.rai.keys() <= RAI
    generator = described.generator
    said: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS_TO,
        "name": described.name,
        "description": described.description,
        "version": "1.0.0",  # under one name and md5 nothing ever changes
        "isLiveDataset": False,
        "keywords": ["images", "synthetic", "gan"] if generator else ["images"],
        "license": described.licence and licence_address(described.licence),
        "creditText": described.credit,
        "isBasedOn": described.source_url,
        **(_provenance(generator, described.source_url) if generator else {}),
    }
    texts = {**(_of_generated(generator, described) if generator else {}), **described.rai}
    said |= {f"rai:{name}": texts[name] for name in sorted(texts)}
    said["distribution"] = distribution(
        described.format, [(each.path, each.sha256, each.size) for each in described.files]
    )
    said["recordSet"] = record_sets(
        described.format, described.class_names, described.counts, seeds=generator is not None
    )
    return {key: value for key, value in said.items() if value not in (None, [])}


def croissant_json(described: Described) -> str:
    """Return the text of `croissant.json`."""
    return json.dumps(croissant(described), indent=2, ensure_ascii=False) + "\n"


def licence_address(spdx: str) -> str:
    """Return the address of a licence of SPDX's list; an expression, or a licence of one's own, stays as it is."""
    own = spdx.casefold().startswith(("licenseref-", "documentref-"))
    return f"https://spdx.org/licenses/{spdx}" if _SPDX.fullmatch(spdx) and not own else spdx


def _provenance(generator: DescribedGenerator, source_url: str | None) -> dict[str, Any]:
    trained_on = {"@type": "prov:Entity", "prov:label": f"the dataset with md5 {generator.dataset_md5}"}
    agent = {"@type": "prov:SoftwareAgent", "prov:label": generator.title}
    return {
        "digitalSourceType": _SYNTHETIC,
        "prov:wasAttributedTo": agent,
        "prov:wasDerivedFrom": [trained_on, {"@id": source_url}] if source_url else trained_on,
        "prov:wasGeneratedBy": {"@type": "prov:Activity", "prov:label": f"images drawn from {generator.title}"},
    }


def _of_generated(generator: DescribedGenerator, described: Described) -> dict[str, Any]:
    source = f", whose images are from {described.source_url}" if described.source_url else ""
    texts: dict[str, Any] = {
        "hasSyntheticData": True,
        "dataCollectionType": ["Synthetic"],
        "dataCollection": f"Nothing was collected: all images were drawn from {generator.title}, a generative "
        "adversarial network. Each is a function of version, seed and label.",
        "dataCollectionRawData": f"The generator was trained on the dataset with md5 {generator.dataset_md5}{source}.",
        "dataBiases": "The generator repeats the leanings of what it was trained on, and may add to them.",
        "dataLimitations": "What the generator has not learned is missing; manifest.json has its figures.",
        "dataUseCases": "To train and to test methods where real images are few or may not be shared. Not as evidence "
        "of what anything in the world looks like.",
        "personalSensitiveInformation": "A generator may reproduce images that it was trained on; manifest.json says "
        "what was looked for and found. There is no guarantee of differential privacy.",
        "dataReleaseMaintenancePlan": "The images under this name never change; later ones have another name. A "
        "release may be recalled by whoever made it.",
    }
    if described.class_names:
        texts["dataAnnotationProtocol"] = (
            "The label of an image is the class that the generator was asked for; no person has looked at each."
        )
        texts["machineAnnotationTools"] = [generator.title]
    return texts
