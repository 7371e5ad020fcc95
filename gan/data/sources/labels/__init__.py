"""Files of labels, and the classes that labels make."""
