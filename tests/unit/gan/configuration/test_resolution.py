"""How many pixels so many stages make."""

import pytest

from gan.configuration.resolution import resolution_of


@pytest.mark.parametrize(
    ("architecture", "stages", "base", "patch", "pixels"),
    [
        ("r3gan", 1, 4, 1, 4),
        ("r3gan", 1, 4, 4, 16),
        ("r3gan", 4, 4, 1, 32),
        ("r3gan", 3, 4, 2, 32),
        ("r3gan", 2, 7, 2, 28),
        ("r3gan", 7, 4, 1, 256),
        ("dcgan", 1, 4, 1, 8),
        ("dcgan", 2, 7, 1, 28),
        ("dcgan", 4, 4, 1, 64),
    ],
)
def test_resolution_of(architecture, stages, base, patch, pixels):
    assert resolution_of(architecture, stages, base=base, patch=patch) == pixels
