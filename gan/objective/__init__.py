"""What the two networks minimise: losses, penalties, augmentation, and their gradients."""
