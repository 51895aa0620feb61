// Package types holds what the generated bindings use for the types that WIT has and Go has not.
package types

// Cases of an Option, as the generated bindings name them.
const (
	OptionNone = 0
	OptionSome = 1
)

// Option is a value or none.
type Option[T any] struct {
	tag   uint8
	value T
}

// Some is the option that holds value.
func Some[T any](value T) Option[T] { return Option[T]{OptionSome, value} }

// None is the option that holds nothing.
func None[T any]() Option[T] { return Option[T]{} }

// Tag is OptionNone or OptionSome.
func (o Option[T]) Tag() uint8 { return o.tag }

// IsSome says whether there is a value.
func (o Option[T]) IsSome() bool { return o.tag == OptionSome }

// IsNone says whether there is none.
func (o Option[T]) IsNone() bool { return o.tag == OptionNone }

// Some is the value; it panics when there is none.
func (o Option[T]) Some() T {
	if o.tag != OptionSome {
		panic("option: none where a value was taken")
	}
	return o.value
}

// SomeOr is the value, or other.
func (o Option[T]) SomeOr(other T) T {
	if o.tag != OptionSome {
		return other
	}
	return o.value
}

// Cases of a Result, as the generated bindings name them.
const (
	ResultOk  = 0
	ResultErr = 1
)

// Result is a value or an error.
type Result[T, E any] struct {
	tag uint8
	ok  T
	err E
}

// Ok is the result that holds a value.
func Ok[T, E any](value T) Result[T, E] { return Result[T, E]{tag: ResultOk, ok: value} }

// Err is the result that holds an error.
func Err[T, E any](err E) Result[T, E] { return Result[T, E]{tag: ResultErr, err: err} }

// Tag is ResultOk or ResultErr.
func (r Result[T, E]) Tag() uint8 { return r.tag }

// IsOk says whether there is a value.
func (r Result[T, E]) IsOk() bool { return r.tag == ResultOk }

// IsErr says whether there is an error.
func (r Result[T, E]) IsErr() bool { return r.tag == ResultErr }

// Ok is the value; it panics when there is an error.
func (r Result[T, E]) Ok() T {
	if r.tag != ResultOk {
		panic("result: error where a value was taken")
	}
	return r.ok
}

// Err is the error; it panics when there is a value.
func (r Result[T, E]) Err() E {
	if r.tag != ResultErr {
		panic("result: value where an error was taken")
	}
	return r.err
}

// Unit is the value that says nothing.
type Unit struct{}

// Tuple2 is a pair.
type Tuple2[T0, T1 any] struct {
	F0 T0
	F1 T1
}
