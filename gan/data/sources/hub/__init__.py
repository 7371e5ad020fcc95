"""Datasets of Hugging Face by their names."""
