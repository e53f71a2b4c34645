"""A partition's memories as an OpenAI vector store, for LiteLLM's ``vector_store_registry`` and file-search clients."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException
from pydantic import Field

from litellm_memory.api.memories import SearchIn, search_of
from litellm_memory.api.shapes import shown_as
from litellm_memory.care.given import LONGEST_SAID, Said, Shape, named
from litellm_memory.care.shown import MemoryOut
from litellm_memory.gate.access import WithAccess
from litellm_memory.models import Recalled
from litellm_memory.redact import Redactor


class RankingOptions(Shape):
    """``ranker`` and others of OpenAI's are taken and change nothing: there is one ranking."""

    ranker: str | None = None
    score_threshold: float = Field(0.0, ge=0, le=1)


class StoreSearchIn(Shape):
    """A search as OpenAI's clients send it. Filters of attributes are refused."""

    model_config = shown_as(query="when do we release", max_num_results=5)

    query: Said | Annotated[list[Said], Field(min_length=1, max_length=8)]
    max_num_results: int | None = Field(10, ge=1, le=50)
    rewrite_query: bool | None = None
    ranking_options: RankingOptions | None = None
    filters: None = Field(None, description="Not supported: an empty value is taken.")


class Content(Shape):
    """A text of a result."""

    type: Literal["text"] = "text"
    text: str


class Hit(Shape):
    """A memory as OpenAI shows a part of a file: ``file_id`` is the memory's id."""

    file_id: str
    filename: str
    score: float
    attributes: Mapping[str, str]
    content: list[Content]

    @classmethod
    def shown(cls, found: Recalled, redactor: Redactor) -> Hit:
        """A result in every answer."""
        memory = MemoryOut.shown(found.memory, redactor)
        attributes = {"kind": memory.kind, "created": found.memory.created.isoformat()}
        if memory.project:
            attributes["project"] = memory.project
        content = [Content(text=memory.text)]
        return cls(
            file_id=memory.id, filename=f"{memory.id}.txt", score=found.score, attributes=attributes, content=content
        )


class StoreSearchOut(Shape):
    """The results, best first, on one page."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[Hit]
    has_more: bool = False
    next_page: str | None = None


async def store_of(access: WithAccess, store_id: str) -> tuple[str, str | None]:
    """The partition that a store's id names, or what the key's team shares, and the user behind a colon.

    Raises HTTPException: 403 for an operator's key, which LiteLLM would lend to all its callers, and where a policy or
    its person does not allow recall, because what is found goes into prompts; 404 for a store that is not its own.
    """
    if access.caller.master:
        raise HTTPException(403, "An operator's key opens no vector store: use a key of the partition.")
    partition, _, user = store_id.partition(":")
    own = await access.partition(writes=False)
    if access.may_read(partition, own, access.user):
        access.comply("recall", own, access.user, by_model=True)
        return partition, None
    if partition != own:
        raise HTTPException(404, "There is no such vector store.")
    try:
        whose = named(user) if user else None
    except ValueError:
        raise HTTPException(404, "There is no such vector store.") from None
    access.comply("recall", partition, whose or access.engine.settings.identity.default_user_id, by_model=True)
    return partition, whose


router = APIRouter(prefix="/v1/vector_stores", tags=["vector stores"])


@router.post("/{store_id}/search", summary="Search a partition's memories as an OpenAI vector store")
async def search_store(
    access: WithAccess, store: Annotated[tuple[str, str | None], Depends(store_of)], search: StoreSearchIn
) -> StoreSearchOut:
    engine, (partition, user) = access.engine, store
    queries = [search.query] if isinstance(search.query, str) else search.query
    asked = SearchIn(query="\n".join(queries)[:LONGEST_SAID], limit=search.max_num_results or 10, user=user)
    found = await engine.recall(search_of(access, asked, partition), now=datetime.now(UTC))
    least = search.ranking_options.score_threshold if search.ranking_options else 0.0
    data = [Hit.shown(one, engine.redactor) for one in found.recalled if one.score >= least]
    return StoreSearchOut(search_query=queries, data=data)
