"""Any images as one mapped array with a digest."""
