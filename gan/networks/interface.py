"""What the rest of ganflow knows of a network, whatever its architecture."""

from abc import abstractmethod

from torch import Tensor, nn


def trained(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that a training changes, in their order: all but those of frozen stages."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


class Generator(nn.Module):
    """Maps noise and class to an image.

    Attributes:
        latent_dim: dimensions of z.
        num_classes: classes, 0 for an unconditional generator.
    """

    latent_dim: int
    num_classes: int

    @abstractmethod
    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Generate images.

        Args:
            z: [N, latent_dim] float32, standard normal.
            labels: [N] int64 in [0, num_classes); ignored by an unconditional generator.

        Returns:
            [N, C, H, W] float32, trained towards [-1, 1]; not clamped, unless the architecture ends in tanh.
        """

    def for_drawing(self) -> "Generator":
        """Return a generator that computes the same up to rounding, in evaluation mode and without gradients.

        This one, where nothing of it can be saved.
        """
        return self


class Discriminator(nn.Module):
    """Maps an image and its class to a logit, or to several; larger means more like a real image.

    Attributes:
        num_classes: classes, 0 for an unconditional discriminator.
        from_the_image: names of its lists of layers whose first one is the next to the image: with more pixels, what
            was first there comes later.
        mixes_images: whether a logit depends on the other images of its batch, as with batch normalisation. Real and
            generated images then pass apart, and no penalty on single images' gradients is defined.
    """

    num_classes: int
    from_the_image: tuple[str, ...] = ()
    mixes_images: bool = False

    def by_stages(self) -> list[list[nn.Module]]:
        """Return its layers by stages, from the image on; none where no stages can be frozen."""
        return []

    @abstractmethod
    def forward(self, images: Tensor, labels: Tensor, seeds: Tensor) -> Tensor:
        """Score images.

        Args:
            images: [N, C, H, W] float32 in about [-1, 1].
            labels: [N] int64 in [0, num_classes); ignored by an unconditional discriminator.
            seeds: [N] int64, key of whatever the network draws (dropout); ignored by one that draws nothing.

        Returns:
            [N] logits, float32 outside of autocast; [N, K] where K parts of the network judge each image. Every one of
            these has a loss of its own, and the image's is their mean.
        """
