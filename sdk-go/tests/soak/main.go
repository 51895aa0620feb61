// Calls under garbage-collection pressure; see the README.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	numax "numax.dev/sdk"
	"numax.dev/sdk/cluster"
	"numax.dev/sdk/crdt"
	"numax.dev/sdk/kv"
	"numax.dev/sdk/run"
)

func init() {
	run.Handle(func() error {
		scale := max(1, scale())
		small, medium, large := 20_000*scale, 2_000*scale, 100*scale
		for _, phase := range []struct {
			name string
			f    func() error
		}{
			{"prepare", prepare},
			{"small results", func() error { return smallResults(small) }},
			{"64 KiB results", func() error { return register("soak:64k", medium) }},
			{"1 MiB results", func() error { return register("soak:1m", large) }},
			{"goroutines", func() error { return goroutines(small / 16) }},
			{"handles nobody closes", func() error { return unclosed(small) }},
			{"deep stacks", deepStacks},
			{"small results again", func() error { return smallResults(small) }},
		} {
			start := time.Now()
			if err := phase.f(); err != nil {
				return fmt.Errorf("%s: %w", phase.name, err)
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			fmt.Printf("%-22s %8s  heap %d KiB of %d KiB, %d collections\n", phase.name,
				time.Since(start).Round(time.Millisecond), m.HeapInuse/1024, m.Sys/1024, m.NumGC)
		}
		fmt.Println("soak ok")
		return nil
	})
}

func main() {}

// scale is how many times the usual work is done.
func scale() int {
	n, _ := strconv.Atoi(os.Getenv("SOAK_SCALE"))
	return n
}

// junk is garbage that lives for a while.
var junk [256][]byte

func garbage(i int) { junk[i&255] = make([]byte, 200+i%3000) }

// pattern is n bytes that no other place of memory is likely to hold.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func fieldValue(i int) []byte { return fmt.Appendf(nil, "value-%d-%s", i, pattern(i*500)) }

func prepare() error {
	for key, size := range map[string]int{"soak:small": 14, "soak:64k": 64 << 10, "soak:1m": 1 << 20} {
		r := must(crdt.OpenLwwRegister(key))
		if err := r.Set(pattern(size)); err != nil {
			return err
		}
		r.Close()
	}
	m := must(crdt.OpenLwwMap("soak:map"))
	defer m.Close()
	for i := range 16 {
		if err := m.Set(fmt.Sprint("k", i), fieldValue(i)); err != nil {
			return err
		}
	}
	s := must(crdt.OpenOrSet("soak:set"))
	defer s.Close()
	for i := range 20 {
		if err := s.Add(bytes.Repeat([]byte{byte('a' + i)}, i)); err != nil {
			return err
		}
	}
	return kv.Set("soak:kv", nil)
}

// kept holds strings from the host, which are compared long after the call.
var kept [64]string

func smallResults(n int) error {
	r := must(crdt.OpenLwwRegister("soak:small"))
	defer r.Close()
	s := must(crdt.OpenOrSet("soak:set"))
	defer s.Close()
	want, id := pattern(14), must(cluster.SelfID())
	for i := range n {
		garbage(i)
		switch i % 6 {
		case 0: // option<list<u8>>
			if v, ok, err := r.Get(); err != nil || !ok || !bytes.Equal(v, want) {
				return fmt.Errorf("get: %q %v %v", v, ok, err)
			}
		case 1: // string
			place := &kept[i/6&63]
			if *place != "" && *place != id {
				return fmt.Errorf("a kept string became %q", *place)
			}
			*place = must(cluster.SelfID())
		case 2: // list<list<u8>>
			length := 0
			for e, err := range s.Elements() {
				if err != nil || len(e) != length || len(e) > 0 && (e[0] != byte('a'+length) || e[len(e)-1] != e[0]) {
					return fmt.Errorf("element %d: %q %v", length, e, err)
				}
				length++
			}
			if length != 20 {
				return fmt.Errorf("%d elements", length)
			}
		case 3: // a handle
			c := must(crdt.OpenGCounter("soak:counter"))
			if err := c.Increment(1); err != nil {
				return err
			}
			c.Close()
		case 4: // an error with text
			_, err := crdt.OpenGCounter("elsewhere")
			if !errors.Is(err, numax.ErrDenied) || len(err.Error()) < 40 {
				return fmt.Errorf("denied: %v", err)
			}
		case 5: // an empty value, and none
			if v, ok, err := kv.Get("soak:kv"); !ok || len(v) != 0 || err != nil {
				return fmt.Errorf("empty: %q %v %v", v, ok, err)
			}
			if _, ok, err := kv.Get("soak:none"); ok || err != nil {
				return fmt.Errorf("none: %v %v", ok, err)
			}
		}
	}
	return nil
}

func register(key string, n int) error {
	r := must(crdt.OpenLwwRegister(key))
	defer r.Close()
	first, _, err := r.Get()
	if err != nil {
		return err
	}
	for i := range n {
		garbage(i)
		v, ok, err := r.Get()
		if err != nil || !ok || len(v) < 64<<10 || !bytes.Equal(v, first) || !bytes.Equal(v[:4096], pattern(4096)) {
			return fmt.Errorf("call %d: %d bytes, %v %v", i, len(v), ok, err)
		}
	}
	return nil
}

// goroutines call the host in turns and are parked by the collector wherever it meets them.
func goroutines(n int) error {
	m := must(crdt.OpenLwwMap("soak:map"))
	defer m.Close()
	failures := make(chan error, 16)
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			name, want := fmt.Sprint("k", g), fieldValue(g)
			for i := range n {
				v, _, err := m.Get(name)
				if err != nil || !bytes.Equal(v, want) {
					failures <- fmt.Errorf("%s: %d bytes, %v", name, len(v), err)
					return
				}
				garbage(i)
				if i%10 == 0 {
					runtime.Gosched()
				}
				if i%50 == 0 {
					for f, err := range m.Entries() { // list<tuple<string, list<u8>>>
						if err != nil || f.Name == name && !bytes.Equal(f.Value, want) {
							failures <- fmt.Errorf("entries: %s %v", f.Name, err)
							return
						}
					}
				}
			}
		})
	}
	all.Wait()
	close(failures)
	return <-failures
}

// unclosed leaves handles to the collector.
func unclosed(n int) error {
	for range n {
		if _, err := crdt.OpenGCounter("soak:counter"); err != nil {
			return err
		}
	}
	runtime.GC()
	time.Sleep(time.Millisecond) // lets the cleanups run
	return nil
}

// deepStacks calls the host with little stack left, so that it must grow before the call and not inside it.
func deepStacks() error {
	m := must(crdt.OpenLwwMap("soak:map"))
	defer m.Close()
	var deep func(n int) int
	deep = func(n int) int {
		var pad [200]byte
		pad[n%200] = byte(n)
		if n == 0 {
			v, _, err := m.Get("k3")
			if err != nil {
				panic(err)
			}
			return len(v)
		}
		return deep(n-1) + int(pad[(n+1)%200])
	}
	want := len(fieldValue(3))
	for depth := 1; depth < 2000; depth += 3 {
		got := make(chan int)
		go func() { got <- deep(depth) }()
		if n := <-got; n != want {
			return fmt.Errorf("at depth %d: %d bytes", depth, n)
		}
	}
	return nil
}
