"""Whose memory is it? Turns a verified key, headers and the client rules into a Scope."""

from litellm_memory.identity.headers import RequestOptions, read_options
from litellm_memory.identity.layers import Layer, is_layer, layer_of
from litellm_memory.identity.partition import Binding, is_partition, partition_of
from litellm_memory.identity.projects import client_checkouts
from litellm_memory.identity.routing import RoutingInfo, RuleInForce, routing_info, rules_in_force
from litellm_memory.identity.scope import identify, vendor_user_id
from litellm_memory.identity.users import Refusal, own_user

__all__ = [
    "Binding",
    "Layer",
    "Refusal",
    "RequestOptions",
    "RoutingInfo",
    "RuleInForce",
    "client_checkouts",
    "identify",
    "is_layer",
    "is_partition",
    "layer_of",
    "own_user",
    "partition_of",
    "read_options",
    "routing_info",
    "rules_in_force",
    "vendor_user_id",
]
