"""The providers for which a config can be written: those whose keys are in the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from litellm_memory.client.address import KEY_VARIABLE


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider, its required variables, and its entries of ``model_list``: name, parameters."""

    name: str
    needs: tuple[str, ...]
    models: tuple[tuple[str, str], ...]


def _keyed(name: str, variable: str, glob: str, model: str) -> Provider:
    return Provider(name, (variable,), ((glob, f"{{model: {model}, api_key: os.environ/{variable}}}"),))


_AZURE = "api_base: os.environ/AZURE_API_BASE, api_key: os.environ/AZURE_API_KEY"
_AWS = (
    "aws_access_key_id: os.environ/AWS_ACCESS_KEY_ID, aws_secret_access_key: os.environ/AWS_SECRET_ACCESS_KEY, "
    "aws_region_name: os.environ/AWS_REGION"
)
PROVIDERS = (
    _keyed("anthropic", "ANTHROPIC_API_KEY", '"claude-*"', '"anthropic/claude-*"'),
    _keyed("openai", "OPENAI_API_KEY", '"gpt-*"', '"openai/gpt-*"'),
    _keyed("gemini", "GEMINI_API_KEY", '"gemini-*"', '"gemini/gemini-*"'),
    _keyed("mistral", "MISTRAL_API_KEY", '"mistral/*"', '"mistral/*"'),
    _keyed("groq", "GROQ_API_KEY", '"groq/*"', '"groq/*"'),
    _keyed("deepseek", "DEEPSEEK_API_KEY", '"deepseek/*"', '"deepseek/*"'),
    _keyed("openrouter", "OPENROUTER_API_KEY", '"openrouter/*"', '"openrouter/*"'),
    Provider("azure", ("AZURE_API_KEY", "AZURE_API_BASE"), (('"azure/*"', f'{{model: "azure/*", {_AZURE}}}'),)),
    Provider(
        "bedrock",
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"),
        (('"bedrock/*"', f'{{model: "bedrock/*", {_AWS}}}'),),
    ),
    Provider(
        "ollama",
        ("OLLAMA_API_BASE",),
        (('"ollama/*"', '{model: "ollama_chat/*", api_base: os.environ/OLLAMA_API_BASE}'),),
    ),
)
DEMO = Provider("demo", (), (("demo", "{model: litellm-memory-demo/demo}"),))
DEMO_HANDLER = """\
  custom_provider_map:                             # the demo model shows the memory that it was given
    - {provider: litellm-memory-demo, custom_handler: litellm_memory.demo}
"""


def providers_in(environment: Mapping[str, str]) -> list[Provider]:
    """The providers whose variables are all set."""
    return [provider for provider in PROVIDERS if all(environment.get(name) for name in provider.needs)]


def config_for(providers: Sequence[Provider]) -> str:
    """A LiteLLM config with memory, in YAML; it names variables and contains no key. Without providers, a demo
    model."""
    entries = [entry for provider in providers or (DEMO,) for entry in provider.models]
    models = "\n".join(f"  - model_name: {name}\n    litellm_params: {parameters}" for name, parameters in entries)
    return f"""\
model_list:
{models}

litellm_settings:
  callbacks: ["litellm_memory.handler"]            # the only line that memory needs
{"" if providers else DEMO_HANDLER}
general_settings:
  master_key: os.environ/{KEY_VARIABLE}

litellm_memory:                                    # every key has a default
  data_dir: .litellm-memory                        # relative to this file
"""
