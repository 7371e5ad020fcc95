"""Whose images a release stems from, known before anything is drawn; and the refusal where nobody said it."""

from gan.data.origin import Origin
from gan.errors import ReleaseError
from tasks.dataset.origin import RecordedOrigin, recorded_origin
from tasks.runtime.settings import Settings
from tasks.tracking.version_tags import version_tags
from tasks.tracking.versions import RegisteredModel


def model_origin(settings: Settings, model: RegisteredModel) -> RecordedOrigin:
    """Return what is said of the images that a version was trained on: by its dataset, else by its own tags.

    Raises:
        ServiceError: MLflow does not answer.
    """
    found = recorded_origin(settings, model.dataset_md5)
    if found.licence is not None:
        return found
    tags = version_tags(settings, model)
    carried = Origin(licence=tags.get("licence"), source_url=tags.get("source_url"), credit=tags.get("credit"))
    return found.model_copy(update=found.over(carried).model_dump())


def require_license(settings: Settings, model: RegisteredModel) -> RecordedOrigin:
    """Return `model_origin`, for a release that may only be drawn if the licence of those images is known.

    Raises:
        ReleaseError: nobody said it.
        ServiceError: MLflow does not answer.
    """
    found = model_origin(settings, model)
    if found.licence is None:
        raise ReleaseError(
            f"nobody said under which licence the images of dataset {model.dataset_md5} are, on which version "
            f"{model.version} was trained: ingest them with --license and retrain, or set the tag licence of that "
            "ingest's run in MLflow, or leave --require-license out"
        )
    return found


def unsaid_line(licence: str | None) -> str | None:
    """Return what a summary says where no licence is known; None where one is."""
    if licence:
        return None
    return "licence unknown: nobody said it of the images that the model was trained on (ganflow ingest --license)"
