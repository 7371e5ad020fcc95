"""Are generated images of use: what a classifier learns from them, measured on real images that nobody trained on."""
