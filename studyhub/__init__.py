"""Ablation studies of differentiable rainfall-runoff models, from one YAML file."""

__version__ = "0.1.0"
