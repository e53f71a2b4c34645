"""Long-term memory for every AI client behind a LiteLLM proxy."""

__version__ = "0.1.0"
