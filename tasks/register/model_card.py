"""The model card of a registered version."""

from collections.abc import Sequence

from gan.metrics.evaluation import Evaluation
from gan.training.header import WarmStartRecord
from tasks.reports.markdown import code, name
from tasks.reports.metrics_markdown import metrics_table


def model_card(
    *,
    class_names: Sequence[str],
    tags: dict[str, str],
    evaluation: Evaluation,
    kimg: float,
    warm_start: WarmStartRecord | None = None,
) -> str:
    """The description of a registered version."""
    began = (
        f"\nTraining began with version {warm_start.version} (run {code(warm_start.run_id)}), "
        f"which was trained on dataset {code(warm_start.dataset_md5)}."
        if warm_start
        else ""
    )
    labels = (
        ", ".join(f"{index} = {name(each)}" for index, each in enumerate(class_names)) or "none: the label is ignored"
    )
    return f"""# Image generator

Trained for {kimg:g} kimg on dataset {code(tags["dataset_md5"])} with preset {code(tags["preset"])}.{began}

Input: `int64 [N, 2]`, each row (seed, label). Output: `uint8 [N, H, W, C]`. Label -1 draws the class from the seed.
Labels: {labels}.

```python
import mlflow, numpy as np
model = mlflow.pyfunc.load_model("models:/gan-generator@champion", model_config={{"device": "cpu"}})
images = model.predict(np.array([[0, -1], [1, -1]], dtype=np.int64))
```

Give seeds as an int64 array or as JSON: a DataFrame is cast to float32, which cannot hold seeds above 2**24.

{metrics_table(evaluation)}
"""
