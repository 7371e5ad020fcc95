"""What becomes of drawn images on their way into a release: which are kept, and whether the whole is fit to hand on."""
