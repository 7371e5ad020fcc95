"""A generator in MLflow as a model of its training run: an exported program, the same as ONNX, and no code of ours."""

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
from gan.generation.onnx_file import check_rows, onnx_difference, write_onnx
from gan.generation.program_file import forget_places
from gan.text.shown import reason_of
from tasks.runtime.failures import explained

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROGRAM_FILE = "data/model.pt2"  # in MLflow's folder of a model whose format is pt2
ONNX_FILE = "model.onnx"  # in the same folder, for those who have no PyTorch
_log = logging.getLogger(__name__)


class _ProgramAndOnnx:
    """MLflow's flavor for PyTorch, whose exported graph does not tell where this machine keeps its code; and as ONNX.

    Attributes:
        remark: a sentence where the ONNX file is not there or was not looked at, else nothing.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.remark = ""

    def save_model(self, path: str, **options: Any) -> None:
        """Save a model as `mlflow.pytorch` does."""
        import mlflow

        del options["validate_serving_input"]  # for `Model.log` alone
        mlflow.pytorch.save_model(path=path, **options)
        program = forget_places(Path(path) / PROGRAM_FILE)
        self.remark = save_onnx(program, Path(path) / ONNX_FILE, self.num_classes)


def save_onnx(program: torch.export.ExportedProgram, path: Path, num_classes: int) -> str:
    """Write a program as ONNX where that can be done; returns a sentence where it could not, or not be checked.

    A file whose images are more than one grey level from the program's in ONNX Runtime does not stay.

    Raises:
        ResourcesError: the disk is full.
    """
    try:
        write_onnx(program, path)
        apart = onnx_difference(path, program, check_rows(num_classes))
    except ImportError as error:
        lack = f"({reason_of(error)}): install it before the next registration"
        if path.exists():
            return f"{path.name} was not compared with the program beside it {lack}"
        return f"there is no {path.name} beside the program {lack}"
    except Exception as error:  # whatever the exporter and ONNX Runtime make of a graph
        path.unlink(missing_ok=True)
        if told := explained(error):
            raise told from None
        return f"there is no {path.name} beside the program ({reason_of(error.__cause__ or error)})"
    if apart > 1:
        path.unlink()
        return f"there is no {path.name} beside the program, for its images were {apart} grey levels from the program's"
    return ""


def log_model(
    registry: "MlflowClient", run_id: str, generator: SeededGenerator, config: Mapping[str, Any]
) -> tuple[str, str]:
    """Log the program as a model of a run, also as ONNX, and return its address and id."""
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
    flavor = _ProgramAndOnnx(generator.G.num_classes)
    with quiet():
        # Not `mlflow.pytorch.log_model`: it needs the run open, and an open run that fails is FAILED.
        model = registry.create_logged_model(
            training.info.experiment_id, name="generator", source_run_id=run_id, params=training.data.params
        )
        info = Model.log(
            artifact_path=None,
            model_id=model.model_id,
            flavor=flavor,
            run_id=run_id,
            pytorch_model=generator,
            input_example=example,
            signature=signature,
            serialization_format="pt2",
            # it would load the program once more, and tell nobody; promoting loads it in a process of its own
            validate_serving_input=False,
            pip_requirements=[f"mlflow=={mlflow.__version__}", f"torch=={torch.__version__.split('+')[0]}", "numpy"],
            metadata={"program_format_version": PROGRAM_FORMAT_VERSION, "config": dict(config)},
        )
    if flavor.remark:
        _log.warning(flavor.remark)
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
