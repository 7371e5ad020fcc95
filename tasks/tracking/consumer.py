"""A program of its own: load a downloaded model as one who has MLflow and PyTorch alone, and draw a few images.

  python -P consumer.py model/ '[[0, -1]]' images.npy

The packages of this project cannot be imported here. `tasks.tracking.checked_copy` has looked at the folder before:
MLflow's loader imports whatever a model names.
"""

import json
import sys

OURS = ("gan", "tasks", "flows")


def main(folder: str, rows: str, images: str) -> None:
    """Load the model, and write its images [N, H, W, C] as a NumPy file.

    Args:
        folder: the model.
        rows: (seed, label) of each image, JSON.
        images: the file.
    """
    for name in OURS:
        sys.modules[name] = None  # type: ignore[assignment]  # how Python is told that there is no such module
    import mlflow
    import numpy as np

    model = mlflow.pyfunc.load_model(folder, model_config={"device": "cpu"})
    np.save(images, model.predict(np.array(json.loads(rows), dtype=np.int64)), allow_pickle=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
