"""What the hardware at hand does by itself: its precision, its memory."""
