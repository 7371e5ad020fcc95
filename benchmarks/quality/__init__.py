"""The benchmark `quality.py`: trainings that can be stopped and taken up again, and what they are compared by."""
