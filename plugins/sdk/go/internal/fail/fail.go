// Package fail is how a plugin says that something is wrong.
package fail

import "errors"

// Kind is who has to act.
type Kind uint8

// The kinds, as the contract numbers them.
const (
	Invalid Kind = iota
	Transient
	Permanent
)

// Error is an error with its kind.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return e.Message }

// Of is the kind and the message of any error; one that says nothing of its kind is permanent.
func Of(err error) (Kind, string) {
	var known *Error
	if errors.As(err, &known) {
		return known.Kind, err.Error()
	}
	return Permanent, err.Error()
}

// In puts what was being done before the message, and keeps the kind.
func In(doing string, err error) error {
	kind, message := Of(err)
	return &Error{kind, doing + ": " + message}
}

// OfBind is the error of a binding, where no batch is to blame.
func OfBind(err error) error {
	if kind, message := Of(err); kind == Permanent {
		return &Error{Invalid, message}
	}
	return err
}
