"""A generator in MLflow as a model of its training run: an exported program, and no code of ours."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gan.generation.export import PROGRAM_FORMAT_VERSION, SeededGenerator
from gan.generation.program_file import forget_places

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROGRAM_FILE = "data/model.pt2"  # in MLflow's folder of a model whose format is pt2


class _PlacelessProgram:
    """MLflow's flavor for PyTorch, whose exported graph does not tell where this machine keeps its code."""

    @staticmethod
    def save_model(path: str, **options: Any) -> None:
        """Save a model as `mlflow.pytorch` does."""
        import mlflow

        mlflow.pytorch.save_model(path=path, **options)
        forget_places(Path(path) / PROGRAM_FILE)


def log_model(
    registry: "MlflowClient", run_id: str, generator: SeededGenerator, config: Mapping[str, Any]
) -> tuple[str, str]:
    """Log the program as a model of a run, and return its address and id."""
    import mlflow
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    example = np.array([[0, -1], [1, -1]], dtype=np.int64)
    image = generator(torch.from_numpy(example)).numpy()
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.int64), (-1, 2))]),
        outputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, *image.shape[1:]))]),
    )
    training = registry.get_run(run_id)
    with quiet():
        # Not `mlflow.pytorch.log_model`: it needs the run open, and an open run that fails is FAILED.
        model = registry.create_logged_model(
            training.info.experiment_id, name="generator", source_run_id=run_id, params=training.data.params
        )
        info = Model.log(
            artifact_path=None,
            model_id=model.model_id,
            flavor=_PlacelessProgram,
            run_id=run_id,
            pytorch_model=generator,
            input_example=example,
            signature=signature,
            serialization_format="pt2",
            pip_requirements=[f"mlflow=={mlflow.__version__}", f"torch=={torch.__version__.split('+')[0]}", "numpy"],
            metadata={"program_format_version": PROGRAM_FORMAT_VERSION, "config": dict(config)},
        )
    return str(info.model_uri), str(info.model_id)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep MLflow's prints and advice off the terminal."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
