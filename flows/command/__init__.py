"""The command `ganflow`: a module for each verb or two; a verb loads what it runs when it is called."""
