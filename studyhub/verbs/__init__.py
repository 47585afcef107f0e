"""Verbs of the command line by what they are about; ``studyhub.cli`` holds those of studies."""
