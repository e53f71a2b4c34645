"""LiteLLM's calls translated to engine calls, behind the one guard of the package: memory never breaks a request."""
