"""The words of a configuration: what its keys may be set to, where a program has neither torch nor pydantic loaded.

The command's help lists them, and modules that implement them name their tables by them.
"""

from typing import Literal

SourceKind = Literal[
    "digits", "folder", "idx", "cifar", "parquet", "webdataset", "numpy", "csv", "lmdb", "release", "huggingface"
]  # fmt: skip
LossKind = Literal["relativistic", "nonsaturating", "minimax", "hinge", "wasserstein"]
Normalisation = Literal["batch", "spectral", "none"]
Operation = Literal["flip", "colour", "translation", "cutout"]
Resize = Literal["tf1", "clean", "torch"]
Precision = Literal["fp32", "bf16"]
AskedPrecision = Literal["auto", "fp32", "bf16"]
ReleaseFormat = Literal["parquet", "webdataset", "imagefolder", "npz"]
Balance = Literal["equal", "real", "quotas", "fill"]
TRAINING_SECTIONS = ("network", "loss", "augment", "optimizer", "train")
"""Sections of the configuration that shape a training; the others say what comes before and after it."""
WORKED_OFF = ("accumulate", "reduce_precision")
"""Keys of `train` that say how a step is worked off, not what it does: as with the number of workers, a run may go on
with others."""
