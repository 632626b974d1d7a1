"""``python -m deepcore.cli`` is ``deepcore``."""

from .app import main

main()
