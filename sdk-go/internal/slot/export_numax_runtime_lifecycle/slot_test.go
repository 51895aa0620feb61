package export_numax_runtime_lifecycle

import (
	"errors"
	"testing"
)

func TestWhatInitSaysIsUTF8(t *testing.T) {
	defer func() { OnInit = nil }()
	OnInit = func() error { return errors.New("no \xff\xfe here \xc3\xa4") }
	if said := Init().Err(); said != "no \ufffd here ä" {
		t.Fatalf("%q", said)
	}
	OnInit = func() error { return nil }
	if r := Init(); r.IsErr() {
		t.Fatal(r.Err())
	}
}
