// Package export_numax_runtime_message_handler is where the generated export finds the guest's function.
package export_numax_runtime_message_handler

// Message is the guest's function, if it has registered one.
var Message func(source, topic string, payload []byte)

// OnMessage is called by the generated export.
func OnMessage(source string, topic string, payload []uint8) {
	if Message != nil {
		Message(source, topic, payload)
	}
}
