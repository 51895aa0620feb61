package call

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	numax "numax.dev/sdk"
)

func TestTextThatIsNotUTF8IsInvalid(t *testing.T) {
	for _, fine := range []string{"", "a\x00b", "ä😀", "\ufffd"} {
		if err := Text("a key", fine); err != nil {
			t.Errorf("%q: %v", fine, err)
		}
	}
	// The last three: half a character, a surrogate, a code point beyond the last.
	for text, at := range map[string]string{
		"\xff": "its byte 0 (0xff)", "\ufffd\xff": "its byte 3 (0xff)", "aä\xc3": "its byte 3 (0xc3)",
		"\xed\xa0\x80": "its byte 0 (0xed)", "\xf4\x90\x80\x80": "its byte 0 (0xf4)",
	} {
		err := Text("a key", text)
		if want := "invalid: a key must be Unicode text; " + at + " is not UTF-8"; err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if !errors.Is(err, numax.ErrInvalid) {
			t.Errorf("%q: %v is not ErrInvalid", text, err)
		}
	}
	if err := Texts("a name", "a", "an expression", "\xff"); err == nil || !strings.Contains(err.Error(), "an expression") {
		t.Error(err)
	}
}

func TestKindsThatAreNoneAreInvalid(t *testing.T) {
	for kind := numax.GCounter; kind <= numax.Text; kind++ {
		one, err := Kind(kind)
		or, errOr := KindOrAny(kind)
		if err != nil || errOr != nil || one != uint8(kind) || or.Some() != one {
			t.Error(kind, one, err, errOr)
		}
	}
	if all, err := KindOrAny(numax.AnyKind); err != nil || all.IsSome() {
		t.Error(all, err)
	}
	for _, kind := range []numax.Kind{numax.AnyKind, numax.Text + 1, 254} {
		if _, err := Kind(kind); !errors.Is(err, numax.ErrInvalid) {
			t.Error(kind, err)
		}
	}
	if _, err := KindOrAny(numax.Text + 1); !errors.Is(err, numax.ErrInvalid) {
		t.Error(err)
	}
}

func TestAListingThatCannotBeginIsOneError(t *testing.T) {
	n := 0
	for value, err := range Failed[string](numax.ErrQuota) {
		if n++; value != "" || !errors.Is(err, numax.ErrQuota) {
			t.Error(value, err)
		}
	}
	if n != 1 {
		t.Error(n)
	}
}

// What the SDK's functions hand to the host cannot be seen without one. So their sources are read: a string parameter
// that is an argument of a generated function is checked before.
func TestEveryStringIsCheckedBeforeItCrosses(t *testing.T) {
	checked := 0
	for _, dir := range []string{"changes", "cluster", "crdt", "events", "kv", "messaging", "module"} {
		files, err := filepath.Glob(filepath.Join("..", "..", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, source, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, declaration := range parsed.Decls {
				function, ok := declaration.(*ast.FuncDecl)
				if !ok {
					continue
				}
				for _, name := range stringParameters(function) {
					handed, looked := uses(function.Body, name)
					if handed && !looked {
						t.Errorf("%s: %s hands %s to the host and does not check it", file, function.Name, name)
					}
					if handed {
						checked++
					}
				}
			}
		}
	}
	if checked < 25 {
		t.Errorf("only %d strings were found: does this test still see the calls?", checked)
	}
}

// stringParameters are a function's parameters of the type string.
func stringParameters(function *ast.FuncDecl) (names []string) {
	for _, field := range function.Type.Params.List {
		if kind, ok := field.Type.(*ast.Ident); ok && kind.Name == "string" {
			for _, name := range field.Names {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

// uses says whether name is an argument of a generated function (raw.F, x.raw.F), and of call.Text or call.Texts.
func uses(body ast.Node, name string) (handed, checked bool) {
	mentions := func(call *ast.CallExpr) (found bool) {
		for _, argument := range call.Args {
			ast.Inspect(argument, func(n ast.Node) bool {
				if ident, ok := n.(*ast.Ident); ok && ident.Name == name {
					found = true
				}
				return !found
			})
		}
		return found
	}
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		function, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !mentions(call) {
			return true
		}
		switch of := function.X.(type) {
		case *ast.Ident:
			handed = handed || of.Name == "raw"
			checked = checked || of.Name == "call" && strings.HasPrefix(function.Sel.Name, "Text")
		case *ast.SelectorExpr:
			handed = handed || of.Sel.Name == "raw"
		}
		return true
	})
	return handed, checked
}
