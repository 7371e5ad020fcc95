"""What generated images give away of training images, always beside a control that was not trained on."""
