// Package export_numax_runtime_peer_handler is where the generated export finds the guest's functions.
package export_numax_runtime_peer_handler

// Up and Down are the guest's functions, if it has registered them.
var Up, Down func(node string)

// OnPeerConnected is called by the generated export.
func OnPeerConnected(node string) {
	if Up != nil {
		Up(node)
	}
}

// OnPeerDisconnected is called by the generated export.
func OnPeerDisconnected(node string) {
	if Down != nil {
		Down(node)
	}
}
