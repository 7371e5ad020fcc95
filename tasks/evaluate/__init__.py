"""What is measured, against what, with which network, and what is left of it."""
