"""Texts from outside made fit to be shown, without the secrets in them."""
