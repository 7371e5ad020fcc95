"""How a release is marked, described for machines, and signed: what is put into its files beside the images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan.data.files.atomic import write_whole
from gan.data.store.dataset import MANIFEST
from gan.release.croissant import FILE, Described, DescribedFile, DescribedGenerator, croissant_json
from gan.release.marks import Mark, json_fields, parquet_metadata, png_chunks
from gan.release.shard import Marks
from tasks.dataset.origin import RecordedOrigin
from tasks.generate.signature import SigningKey
from tasks.tracking.versions import RegisteredModel

_NO_DATA = {"README.md", "samples.png", MANIFEST}


@dataclass(frozen=True)
class Proof:
    """What a release says of where it is from.

    Attributes:
        marks: that the images are synthetic.
        origin: what is said of the images that the model was trained on; None: nothing is known.
        key: signs the manifest; None: it is not signed.
        learnt_through: weights of others that training images were looked at through; None: of nobody.
    """

    marks: Marks = field(default_factory=Marks)
    origin: RecordedOrigin | None = None
    key: SigningKey | None = None
    learnt_through: str | None = None

    def stated(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        through = {} if self.learnt_through is None else {"learnt_through": self.learnt_through}
        return through | {
            "dataset": self.origin.model_dump(mode="json") if self.origin else None,
            "marks": dict(self.marks.stated) or None,
            "signed_by": self.key.fingerprint if self.key else None,
        }


def release_marks(model: RegisteredModel, name: str) -> Marks:
    """Return what says of the images and files of a release that they are synthetic; the manifest says what to find."""
    mark = Mark(model.name, model.version, model.dataset_md5, name)
    return Marks(png_chunks(mark), parquet_metadata(mark), json_fields(mark), mark.stated())


def write_croissant(
    folder: Path, manifest: Mapping[str, Any], class_names: Sequence[str], files: Mapping[str, str]
) -> Path:
    """Describe a release for other programs; returns the file.

    Args:
        folder: of the release.
        manifest: what `manifest.json` will say, all but `files`.
        class_names: by label; empty where images have none.
        files: sha256 by path of what lies there.
    """
    model, dataset, counts = manifest["model"], manifest.get("dataset") or {}, manifest["counts"]
    psi = manifest["generation"].get("truncation")
    truncated = "" if psi is None else f" with truncation {psi:g}, nearer to the mean of their class than it draws them"
    described = Described(
        name=manifest["name"],
        description=f"{manifest['generation']['num_images']} synthetic images, drawn from version {model['version']} "
        f"of the generator {model['name']}{truncated}.",
        format=manifest["generation"]["format"],
        class_names=class_names,
        counts={"train": counts},
        files=[
            DescribedFile(path, sha256, (folder / path).stat().st_size)
            for path, sha256 in files.items()
            if path not in _NO_DATA
        ],
        licence=dataset.get("licence"),
        source_url=dataset.get("source_url"),
        credit=dataset.get("credit"),
        generator=DescribedGenerator(model["name"], model["version"], manifest["dataset_md5"]),
    )
    path = folder / FILE
    write_whole(path, croissant_json(described))
    return path
