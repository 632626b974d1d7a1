"""The command line. ``deepcore --help`` says what it can do."""

from .app import main as main
