// Package cluster shows the members of the cluster, as this node sees them.
package cluster

import (
	"time"

	raw "numax.dev/sdk/internal/bind/numax_runtime_cluster"
	"numax.dev/sdk/internal/call"
)

// State is what this node believes of another.
type State uint8

// What this node can believe of another: it answers; it has not answered for a moment; it has been silent for too long.
const (
	Alive   = State(raw.PeerStateAlive)
	Suspect = State(raw.PeerStateSuspect)
	Dead    = State(raw.PeerStateDead)
)

// String is "alive", "suspect" or "dead".
func (s State) String() string {
	switch s {
	case Alive:
		return "alive"
	case Suspect:
		return "suspect"
	default:
		return "dead"
	}
}

// Peer is another member of the cluster.
type Peer struct {
	ID string
	// Name is what its operator called it; may be empty, and need not be unique.
	Name string
	// Address is where it listens, host:port.
	Address string
	State   State
	// RTT is the time of a round trip to it; 0 when it has not been measured.
	RTT time.Duration
}

// SelfID is the id of the node that this guest runs on. It needs no grant.
func SelfID() (string, error) { return call.Value(raw.SelfId()) }

// Peers are the other members that this node knows. It needs net.peers in the policy.
func Peers() ([]Peer, error) {
	found, err := call.Value(raw.Peers())
	peers := make([]Peer, len(found))
	for i, p := range found {
		rtt := time.Duration(p.RttMicros.SomeOr(0)) * time.Microsecond
		peers[i] = Peer{ID: p.Id, Name: p.Name, Address: p.Address, State: State(p.State), RTT: rtt}
	}
	return peers, err
}
