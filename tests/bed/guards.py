"""Guardrails inside LiteLLM that mask or refuse by a word: by LiteLLM's own way for all formats, and by plain hooks."""

from __future__ import annotations

import re
import secrets
from typing import Any

from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.types.guardrails import GuardrailEventHooks

NAME = "Rosalind"
"""What a masking guardrail takes for personal."""
FORBIDDEN = "thunderbolt"
"""What a refusing one refuses."""


class Masking(CustomGuardrail):
    """Replaces the name in a request by a placeholder, and in an answer too where it runs after the call."""

    async def apply_guardrail(self, inputs: Any, request_data: Any, input_type: str, logging_obj: Any = None) -> Any:
        """LiteLLM's own way: it hands over the texts of any format."""
        return {**inputs, "texts": [text.replace(NAME, "<PERSON>") for text in inputs.get("texts") or []]}


class Restoring(CustomGuardrail):
    """Replaces the name by another placeholder each time, and puts the name back into the answer."""

    async def apply_guardrail(self, inputs: Any, request_data: Any, input_type: str, logging_obj: Any = None) -> Any:
        """As Presidio does with `output_parse_pii`."""
        texts = inputs.get("texts") or []
        if input_type == "request":
            return {**inputs, "texts": [text.replace(NAME, f"<PERSON_{secrets.token_hex(4)}>") for text in texts]}
        return {**inputs, "texts": [re.sub(r"<PERSON_\w+>", NAME, text) for text in texts]}


class Refusing(CustomGuardrail):
    """Refuses what holds the forbidden word, at whichever event it is configured for."""

    async def apply_guardrail(self, inputs: Any, request_data: Any, input_type: str, logging_obj: Any = None) -> Any:
        """LiteLLM's own way."""
        if any(FORBIDDEN in text for text in inputs.get("texts") or []):
            raise ValueError("refused by the bed")
        return inputs


class RefusingAll(CustomGuardrail):
    """Refuses every answer."""

    async def apply_guardrail(self, inputs: Any, request_data: Any, input_type: str, logging_obj: Any = None) -> Any:
        """LiteLLM's own way."""
        raise ValueError("refused by the bed")


class Early(CustomGuardrail):
    """Masks by a plain hook and another placeholder each time, listed before memory."""

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: Any
    ) -> Any:
        """As Presidio does: it changes the messages in place."""
        if self.should_run_guardrail(data, GuardrailEventHooks.pre_call) is True:
            for message in data.get("messages") or []:
                if isinstance(message.get("content"), str):
                    message["content"] = message["content"].replace(NAME, f"<PERSON_{secrets.token_hex(4)}>")
        return data


KINDS = {"before": ("mask", "random", "refuse"), "during": ("mask", "refuse"), "after": ("mask", "refuse")}
"""What the guardrails of each stage do; who puts real words back masks by random placeholders before the call."""
PLACES = ("ahead", "behind")
"""Where they are listed: ahead of memory among the callbacks, or behind it as LiteLLM lists its `guardrails:`."""
MODES = {"before": ["pre_call", "post_call"], "during": "during_call", "after": "post_call"}


class ByWord(CustomGuardrail):
    """Is always on, and acts on the words that say its own stage and place: "Maskbeforeaheadxyz" and the like."""

    newest = ""
    """The word that it masked last."""

    async def apply_guardrail(self, inputs: Any, request_data: Any, input_type: str, logging_obj: Any = None) -> Any:
        """LiteLLM's own way."""
        stage, place = str(self.guardrail_name).split("-")
        texts = inputs.get("texts") or []
        if input_type == "response" and stage == "before":
            return {**inputs, "texts": [text.replace(f"<PERSON_{place}>", self.newest) for text in texts]}
        if any(f"Refuse{stage}{place}" in text for text in texts):
            raise ValueError("refused by the bed")
        masked = [re.sub(f"Mask{stage}{place}[a-z]+", "<PERSON>", text) for text in texts]
        return {**inputs, "texts": [re.sub(f"Random{stage}{place}[a-z]+", self._hidden, text) for text in masked]}

    def _hidden(self, found: re.Match[str]) -> str:
        self.newest = found.group()
        return f"<PERSON_{secrets.token_hex(4)}>"


before_ahead, during_ahead, after_ahead = (
    ByWord(guardrail_name=f"{stage}-ahead", event_hook=mode, default_on=True) for stage, mode in MODES.items()
)


def by_word() -> list[dict[str, Any]]:
    """The `guardrails:` section with those that are listed behind memory."""
    return [
        {
            "guardrail_name": f"{stage}-behind",
            "litellm_params": {"guardrail": "bed.guards.ByWord", "mode": mode, "default_on": True},
        }
        for stage, mode in MODES.items()
    ]


early = Early(guardrail_name="early", event_hook=GuardrailEventHooks.pre_call)


def configured() -> list[dict[str, Any]]:
    """The `guardrails:` section with each of them, for requests that name it."""
    modes = {
        "mask": ("Masking", "pre_call"),
        "mask-all": ("Masking", ["pre_call", "post_call"]),
        "restore": ("Restoring", ["pre_call", "post_call"]),
        "refuse-before": ("Refusing", "pre_call"),
        "refuse-during": ("Refusing", "during_call"),
        "refuse-after": ("RefusingAll", "post_call"),
    }
    return [
        {"guardrail_name": name, "litellm_params": {"guardrail": f"bed.guards.{kind}", "mode": mode}}
        for name, (kind, mode) in modes.items()
    ]
