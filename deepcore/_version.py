"""The version of deepcore: this is the only place that it is written in."""

__version__ = "0.1.0.dev0"
