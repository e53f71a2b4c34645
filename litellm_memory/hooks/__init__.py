"""LiteLLM's hook calls translated to engine calls, behind one guard: a memory failure never breaks a request."""
