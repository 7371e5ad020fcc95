"""A program of its own: load a registered model as one who has MLflow and PyTorch alone, and draw a few images.

  python -P consumer.py models:/gan-generator/3 '[[0, -1]]' images.npy

Where MLflow is, the environment says. The packages of this project cannot be imported here, nor is anything unpickled.
"""

import json
import sys
from pathlib import Path

OURS = ("gan", "tasks", "flows")
LOADER = "mlflow.pytorch"


def main(uri: str, rows: str, images: str) -> None:
    """Load the model, and write its images [N, H, W, C] as a NumPy file.

    Args:
        uri: MLflow's address of the model.
        rows: (seed, label) of each image, JSON.
        images: the file.
    """
    for name in OURS:
        sys.modules[name] = None  # type: ignore[assignment]  # how Python is told that there is no such module
    import mlflow
    import numpy as np

    folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(Path(images).parent)))
    function = mlflow.models.Model.load(str(folder)).flavors.get("python_function", {})
    # MLflow imports whatever module and code a model names.
    if function.get("loader_module") != LOADER or function.get("code"):
        sys.exit("the model wants other code than MLflow's own to be run")
    model = mlflow.pyfunc.load_model(str(folder), model_config={"device": "cpu"})
    np.save(images, model.predict(np.array(json.loads(rows), dtype=np.int64)), allow_pickle=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
