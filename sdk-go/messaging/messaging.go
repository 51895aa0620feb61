// Package messaging sends messages between modules: at most once, to the members that are reachable now. A guest
// receives them with the package onmessage. Not in this version: publishing fails with numax.ErrUnavailable.
package messaging

import (
	raw "numax.dev/sdk/internal/bind/numax_runtime_messaging"
	"numax.dev/sdk/internal/call"
)

// Publish sends a message to every module that has subscribed to topic. What this turn has written is committed first.
func Publish(topic string, payload []byte) error {
	if err := call.Text("a topic", topic); err != nil {
		return err
	}
	return call.Done(raw.Publish(topic, payload))
}
