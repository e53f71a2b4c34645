"""Why a memory was recalled, or was not: a trace in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from litellm_memory.care.review import why_it_waits
from litellm_memory.ledger import Trace, TracedMemory
from litellm_memory.models import Memory

REASONS: Final[Mapping[str, str]] = {
    "recalled": "New words of a person: {given} went into the block that was put before them.",
    "nothing_relevant": "New words of a person, and no memory that they may see came near enough.",
    "guardrail": "New words of a person: a guardrail of the request refused every memory that was found for them.",
    "trivial": "Words like a greeting or a thank-you: nothing is looked for then.",
    "frozen": "The same message came before, and got again exactly what its first attempt got: a retry adds nothing.",
    "inject_off": "Memory gives nothing here: it is off in the settings, or for this key or its team.",
    "paused": "Memory gives nothing here: its person has paused recall.",
    "policy_off": "Memory gives nothing here: a policy of the settings says `off`.",
    "opt_in": "Memory gives nothing here until its person agrees: a policy of the settings says `opt_in`.",
    "header": "The request itself asked for no memory: `x-memory-inject` says no, or says what cannot be read.",
    "model_excluded": "The model, or a fallback of it, is excluded by `models` in the settings.",
    "key_excluded": "The key's alias is excluded by `keys` in the settings.",
    "vendor_memory": "A memory vendor's router answers this model, and remembers by itself (`vendor_memory`).",
    "unknown_shape": "This is no conversation in a format that memory reads.",
    "no_identity": "The key belongs to no user, team or key that memory can be bound to.",
    "unreadable_identity": "A header that names user, project or session cannot be read, and nothing is guessed.",
    "headers_disagree": "Two headers that mean the same say different things, and nothing is guessed.",
    "undelegated_end_user": "The request names an end user, and its key is not listed in `identity.delegating_keys`.",
    "unreadable_end_user": "The end user that the request names cannot be read.",
    "end_users_disagree": "The request names two different end users.",
    "unreadable_key_user": "The user of the key cannot be the name of a user here.",
    "deadline": "Recall took longer than `recall.deadline_ms`, so the request went on without a new block.",
    "replay": "What was frozen for this conversation could not be read in time, so no new block was added.",
    "store": "The store of memories failed, so the request went on without a new block; the log says what to do.",
    "ledger": "The ledger failed, so the request went on without a new block; the log says what to do.",
    "store_away": "The store of memories had failed several times, so nothing was asked of it; `/ready` says why.",
    "ledger_away": "The ledger had failed several times, so nothing was asked of it; `/ready` says why.",
    "search_away": "The search process had failed several times, so nothing was asked of it; `/ready` says why.",
    "too_long": "The conversation has more parts or words of a person than memory reads.",
    "read": "It took too long to read this conversation, so the request went on without memory.",
}
KINDS: Final[Mapping[str, str]] = {
    "continuation": "it goes on after a tool's result",
    "side_call": "the client asks for itself, as for a title",
    "compaction": "the client sums up the conversation",
    "probe": "the client tries whether the model answers",
    "subagent": "a helper of the client asks, and no person",
    "other": "it holds no new words of a person",
}
NOT_LEARNED: Final[Mapping[str, str]] = {
    "settings": "`remember` is off in the settings",
    "policy": "a policy does not allow it",
    "key": "it is off for this key, or for its team, organization or project",
    "person": "its person has paused learning",
}
LEFT_OUT: Final[Mapping[str, str]] = {
    "threshold": "its score {score:.2f} is below `recall.min_score` ({min_score})",
    "far_behind": "others answer so much better that it would add nothing",
    "limit": "{limit} better ones filled the number that may be given (`recall.max_memories` or `x-memory-max`)",
    "budget": "there was no room for it within {budget} tokens (`recall.token_budget` or `x-memory-token-budget`)",
    "guardrail": "a guardrail of the request refused it, or was too slow to say",
    "repeated": "what is given already says it",
    "already_carried": "the conversation carries it already, in a block or in the words that it was learned from",
    "superseded": "a newer memory took its place",
    "not_valid_now": "its time of validity had ended, or had not begun",
    "other_project": "it belongs to another project than the request's",
    "other_session": "the request is limited to its session, and it belongs to another or to none",
    "other_kind": "the request asked for other kinds (`x-memory-kinds`)",
    "other_tags": "it lacks a tag that the request asked for (`x-memory-tags`)",
    "other_scope": "it is not of this user",
}
PARTS: Final[Mapping[str, str]] = {
    "from_vectors": "its meaning is near to what was asked",
    "from_words": "it has words of the question",
    "from_nearby_words": "what was said beside it has other words of the question",
    "from_context": "how much better what was said around it matches",
    "from_statement": "how far it only asks, greets or talks about the listener",
    "from_answer": "it follows a question that matches",
    "from_time": "it says when, which was asked",
}
"""What each part of a rank means, as in `index/ranking.py`."""
UNTOLD_BELOW: Final = 0.005
"""A part that would be shown as 0.00 is not told."""
UNKNOWN: Final = "This user has no memory with this id: there never was one, or it was forgotten since."
REFUSED: Final = "a guardrail that this request met did not let it through"
NO_MORE: Final = "a team shares it, and not with this request: by its key, a policy, or the person's own word"
SHARED: Final = " It is shared by the team."
REVIEW: Final = "Not recalled: it waits for its owner's word, because {review}."


def of_request(trace: Trace) -> list[str]:
    """What was done to the request and why, a sentence each."""
    return list(_of_request(trace))


def _of_request(trace: Trace) -> Iterator[str]:
    new = sum(candidate.left_out is None for candidate in trace.candidates)
    if trace.reason in REASONS:
        yield REASONS[trace.reason].format(given=_counted(new))
    elif trace.kind is not None and trace.kind in KINDS:
        yield f"Nothing new is recalled for such a request: {KINDS[trace.kind]} (rule `{trace.reason}`)."
    else:
        yield f"It ended as `{trace.status}`, with the reason `{trace.reason}`."
    earlier = trace.count - new
    if earlier > 0:
        yield f"{_counted(earlier).capitalize()} stood in blocks of earlier messages, which were put back as they were."
    if trace.cut:
        yield f"{_counted(len(trace.cut)).capitalize()} of earlier blocks went out of them: {NO_MORE}."
    if trace.refused:
        yield f"{_counted(len(trace.refused)).capitalize()} of earlier blocks stayed out: {REFUSED}."
    yield from _of_standing(trace.standing)
    for header in trace.unreadable:
        yield f"The header `{header}` could not be read, and was counted as unreadable."


def _of_standing(standing: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, told in standing.items():
        if "policy" in told:
            yield f"The policy that holds for {name} is `{told['policy']}`, by `policies.{name}.{told['from']}`."
    learn = standing.get("learn")
    if learn and not learn["allowed"]:
        yield f"Nothing is learned from it: {NOT_LEARNED[learn['by']]}."


def of_candidate(candidate: TracedMemory, memory: Memory | None, trace: Trace) -> str:
    """Why this memory was recalled, or was not; ``memory`` is its current state, None when it was forgotten."""
    since = "" if memory else " It was forgotten since."
    if candidate.left_out is None and "standing_wish" in candidate.why:
        return f"Recalled: it is a standing wish, which holds whatever is asked.{since}"
    if candidate.left_out is None:
        team = SHARED if memory is not None and memory.partition == trace.shared else ""
        why = f"{team}{_explained(candidate.why)}{since}"
        return f"Recalled: its score {candidate.score:.2f} reached {trace.min_score}.{why}"
    if memory is not None and memory.review is not None and candidate.left_out == "not_valid_now":
        return REVIEW.format(review=why_it_waits(memory))
    known = {"score": candidate.score, "min_score": trace.min_score, "limit": trace.limit, "budget": trace.budget}
    reason = LEFT_OUT.get(candidate.left_out, candidate.left_out).format(**known)
    return f"Not recalled: {reason}.{_successor(memory)}{_explained(candidate.why)}{since}"


def _explained(why: Mapping[str, float]) -> str:
    """What ranked a memory, part by part, in sentences with a space before each; empty where nothing did."""
    if "rank" not in why:
        return ""
    parts = [f"{why[name]:+.2f}, {said}" for name, said in PARTS.items() if abs(why.get(name, 0)) >= UNTOLD_BELOW]
    rank = f" Its rank is {why['rank']:.2f}: {'; '.join(parts)}." if parts else f" Its rank is {why['rank']:.2f}."
    alone = why.get("evidence", why["rank"])
    if why["rank"] - alone >= UNTOLD_BELOW:
        rank += f" Only {alone:.2f} of it counts for the score: what was said near it in time may be another subject."
    return f"{rank} No score is above {why['sure']:.2f}, the confidence that the best one is about the question at all."


def of_memory(memory_id: str, memory: Memory | None, trace: Trace) -> str:
    """Why the memory with this id was recalled for the request, or was not. Another user's counts as unknown."""
    for candidate in trace.candidates:
        if candidate.memory == memory_id:
            return of_candidate(candidate, memory, trace)
    if memory_id in trace.carried:
        return "Carried: it was given with an earlier message of this conversation, and was put back with it."
    if not trace.user:
        # The user of the request is not known, so nobody's memories are shown.
        return f"Not looked at: {of_request(trace)[0]}"
    if memory_id in trace.cut:
        return f"Cut from an earlier block: {NO_MORE}."
    if memory_id in trace.refused:
        return f"Left out of an earlier block: {REFUSED}."
    if memory is None or (memory.partition != trace.shared and memory.user != trace.user):
        return UNKNOWN
    if memory.created > trace.at:
        return f"Not recalled: it was kept only at {_told(memory.created)}, after the request."
    if trace.limit is None or trace.status in ("late", "error"):
        return f"Not looked at: {of_request(trace)[0]}"
    if memory.review is not None:
        return REVIEW.format(review=why_it_waits(memory))
    return "Not recalled: so many others came nearer that it is not among those that the trace tells of."


def _successor(memory: Memory | None) -> str:
    after = memory.superseded_by if memory else None
    return f" It is {after.id}, because: {after.reason}." if after else ""


def _counted(memories: int) -> str:
    return "one memory" if memories == 1 else f"{memories} memories"


def _told(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
