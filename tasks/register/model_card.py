"""The model card of a registered version."""

from collections.abc import Iterator, Sequence

from gan.metrics.evaluation import Evaluation
from gan.text.counted import counted
from gan.training.header import WarmStartRecord
from tasks.register.card_facts import CardFacts
from tasks.reports.markdown import cell, code, name
from tasks.reports.metric_texts import MEMORY, USE, describe_metric
from tasks.reports.metrics_markdown import metrics_table

UNKNOWN = "unknown"
LONGEST = 5000  # characters of a version's description, in MLflow's tables
_WHOLE = "The whole card is the artifact `model_card.md` of the training run."
_LICENCE = "The licence is that of the images; whether it binds weights and what they draw is not for this card to say."
_NO_LICENCE = "Nobody said under which licence the images are: ask where they come from before handing the model on."
_LIMITS = """- What was measured is how near its images are to those of one dataset, as one network sees them.
  Nothing says that they serve another task, other classes, or images from elsewhere.
- It draws what its training images show, with their gaps and their biases; whether people or groups are shown fairly
  was not looked at.
- Copies were looked for among the training images, by pixels and by features. That none was found is no proof that
  nothing of a person can be told from the weights: training was not differentially private, and no attack on the
  model was tried."""

_THROUGH = "the discriminator judged by its features, and no weight of it is part of the model"


def model_card(
    *,
    model: str,
    class_names: Sequence[str],
    tags: dict[str, str],
    evaluation: Evaluation,
    kimg: float,
    found: CardFacts,
    warm_start: WarmStartRecord | None = None,
) -> str:
    """The description of a registered version: data, training, how to use it, scores, limits."""
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
model = mlflow.pyfunc.load_model("models:/{model}@champion", model_config={{"device": "cpu"}})
images = model.predict(np.array([[0, -1], [1, -1]], dtype=np.int64))
```

Give seeds as an int64 array or as JSON: a DataFrame is cast to float32, which cannot hold seeds above 2**24.

## Data and training

{_table(found)}

{_LICENCE if found.licence else _NO_LICENCE}

## Scores

{metrics_table(evaluation)}

{_memory(evaluation)}
{_use(evaluation)}

## What it was not tested for

{_LIMITS}
"""


def description(card: str) -> str:
    """A card as a version's description: as many of its sections, from the top, as MLflow has room for."""
    if len(card) <= LONGEST:
        return card
    sections = card.split("\n## ")  # no name has a line end in it
    for count in range(len(sections) - 1, 0, -1):
        shown = "\n## ".join(sections[:count])
        if len(short := f"{shown.rstrip()}\n\n{_WHOLE}\n") <= LONGEST:
            return short
    return f"# Image generator\n\n{_WHOLE}\n"


def _table(found: CardFacts) -> str:
    minutes = UNKNOWN if found.minutes is None else f"{found.minutes:.3g} minutes of steps"
    workers = "" if found.workers is None else f", {counted(found.workers, 'worker')}"
    rows = {
        "images from": UNKNOWN if found.source is None else cell(found.source),
        "licence of the images": UNKNOWN if found.licence is None else cell(found.licence),
        **{key: cell(text) for key, text in _said(found) if text},
        **({} if found.learnt_through is None else {"learnt through": f"{cell(found.learnt_through)}: {_THROUGH}"}),
        "training images": UNKNOWN if found.num_train is None else str(found.num_train),
        "time": f"{minutes}{workers}",
        "device": UNKNOWN if found.device is None else cell(found.device),
        "energy": _energy(found),
        "code": UNKNOWN if found.code is None else cell(found.code),
        "training run": cell(found.run_id),
        "sample grid": "none" if found.samples is None else f"artifact {cell(found.samples)} of that run",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {said} |" for key, said in rows.items())])


def _said(found: CardFacts) -> Iterator[tuple[str, str | None]]:
    """Yield what a person said of the images, each in a row of its own where it was said."""
    yield "images published at", found.source_url
    yield "credit", found.credit
    yield "what they show", found.description


def _energy(found: CardFacts) -> str:
    if found.watt_hours is None:
        return "not measured"
    counters = UNKNOWN if found.energy_of is None else cell(found.energy_of)
    return f"{found.watt_hours:.3g} Wh of the whole machine ({counters}) since the training was last started"


def _memory(evaluation: Evaluation) -> str:
    keys = [key for key in evaluation.metrics if describe_metric(key).group == MEMORY]
    if not keys:
        return "Copies of training images were not looked for."
    training = evaluation.protocol.num_training
    return f"Copies were looked for among {training} training images: {_listed(evaluation, keys)}."


def _use(evaluation: Evaluation) -> str:
    keys = [key for key in evaluation.metrics if describe_metric(key).group == USE]
    if not keys:
        return "Whether a classifier learns from its images was not measured (`ganflow evaluate --usefulness` does)."
    return f"Classifiers were trained on its images: {_listed(evaluation, keys)}."


def _listed(evaluation: Evaluation, keys: Sequence[str]) -> str:
    return ", ".join(f"{code(key)} {evaluation.metrics[key].value:.4g}" for key in keys)
