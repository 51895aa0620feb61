// Package onmessage handles messages of other modules. Importing it adds message-handler to the module's exports, which this
// version does not call.
package onmessage

import (
	_ "numax.dev/sdk/internal/bind/exports/message"
	slot "numax.dev/sdk/internal/slot/export_numax_runtime_message_handler"
)

// Message is a message of another module.
type Message struct {
	// Source is the node it came from.
	Source string
	// Topic is what it was published on.
	Topic   string
	Payload []byte
}

// Handle registers the function that is called with messages on topics that the module has subscribed to. Call Handle
// from an init function. A panic undoes what the function wrote and ends the instance.
func Handle(f func(Message)) {
	slot.Message = func(source, topic string, payload []byte) { f(Message{source, topic, payload}) }
}
