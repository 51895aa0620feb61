"""Who is there."""

from __future__ import annotations

from dataclasses import dataclass

from wit_world.imports import cluster as _cluster

from numax.errors import call


@dataclass(frozen=True)
class Peer:
    """A member of the cluster."""

    id: str
    name: str
    address: str
    state: str
    """"alive", "suspect" or "dead"."""
    rtt_micros: int | None


def self_id() -> str:
    """The id of this node: 64 hexadecimal digits. Needs no grant."""
    return str(call(_cluster.self_id))


def peers() -> list[Peer]:
    """The other members that this node knows. `Denied` without `net.peers` in the policy."""
    return [Peer(p.id, p.name, p.address, p.state.name.lower(), p.rtt_micros) for p in call(_cluster.peers)]
