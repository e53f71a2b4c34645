"""Run in a network namespace with nothing but loopback: the demo model is told something, then asked, and answers."""

from __future__ import annotations

import sys
from pathlib import Path

from bed.memories import Memories, mentioning
from bed.proxy import Proxy

NOBODY = "http://127.0.0.1:9"
PROVIDER = "litellm-memory-demo"
MODELS = [{"model_name": "demo", "litellm_params": {"model": f"{PROVIDER}/demo"}}]
DEMO = {"custom_provider_map": [{"provider": PROVIDER, "custom_handler": "litellm_memory.demo"}]}


def answered(directory: Path, told: str, asked: str) -> str:
    """What the model answers to ``asked`` in a conversation that follows the one in which it was ``told``."""
    proxy = Proxy(directory, NOBODY, memory={}, models=MODELS, config={"litellm_settings": DEMO})
    with proxy, proxy.client() as client, proxy.sidecar() as sidecar:
        memories = Memories(proxy, sidecar)
        memories.wait_until_ready()

        def say(words: str) -> str:
            body = {"model": "demo", "messages": [{"role": "user", "content": words}]}
            answer = client.post("/v1/chat/completions", json=body).raise_for_status().json()
            return str(answer["choices"][0]["message"]["content"])

        say(told)
        # What is listed is found a moment later: the search process reads it then.
        memories.wait_for(
            "default", lambda found: bool(mentioning(found, told) and memories.search(asked, user="default"))
        )
        return say(asked)


if __name__ == "__main__":
    print(answered(Path(sys.argv[1]), *sys.argv[2:]))
