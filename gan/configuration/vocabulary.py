"""The words of a configuration: what its keys may be set to, where a program has neither torch nor pydantic loaded.

The command's help lists them, and modules that implement them name their tables by them.
"""

from typing import Literal

SourceKind = Literal[
    "digits", "folder", "idx", "cifar", "parquet", "webdataset", "numpy", "csv", "lmdb", "release", "huggingface"
]  # fmt: skip
LossKind = Literal["relativistic", "nonsaturating", "minimax", "hinge", "wasserstein"]
Normalisation = Literal["batch", "spectral", "none"]
Operation = Literal["flip", "colour", "translation", "cutout", "ada-geometry", "ada-colour"]
PenaltyInput = Literal["images", "augmented"]
Upsampling = Literal["zeros", "edges"]
Transitions = Literal["changes", "all"]
ClassScale = Literal["fan_in", "unit"]
Resize = Literal["tf1", "clean", "torch"]
WatchFeatures = Literal["inception", "pixels"]
Precision = Literal["fp32", "bf16"]
AskedPrecision = Literal["auto", "fp32", "bf16"]
TrainPrecision = Literal["auto", "fp32", "tf32", "bf16"]
WarmStartKind = Literal["whole", "fitting"]
ReleaseFormat = Literal["parquet", "webdataset", "imagefolder", "npz"]
Balance = Literal["equal", "real", "quotas", "fill"]
