"""frostline: records of frozen and thawed soil, made, proved and explained."""

__version__ = "0.1.0"
