package streamhost

import (
	"sort"

	"streamhost/internal/fail"
	"streamhost/internal/host"
)

// Error is an error with what the host should do about it. Any other error is a permanent one; wrapping one with %w keeps its kind.
type Error = fail.Error

// Invalid says that the configuration or the input's schema is wrong: the pipeline does not start.
func Invalid(message string) error { return &Error{Kind: fail.Invalid, Message: message} }

// Transient says that the same batch, or row, may pass later: the host tries again as often as the pipeline says.
func Transient(message string) error { return &Error{Kind: fail.Transient, Message: message} }

// Permanent says that the same batch, or row, can never pass.
func Permanent(message string) error { return &Error{Kind: fail.Permanent, Message: message} }

// In puts what was being done before an error's message, and keeps its kind.
func In(doing string, err error) error { return fail.In(doing, err) }

// RowErrors are the bad rows of one batch. Whether a bad row fails the query, is skipped or goes to a dead-letter sink is the pipeline's
// decision.
type RowErrors struct{ errors []host.RowError }

// Add says that the row at this index of the batch cannot be processed. A permanent error rejects it, a transient one asks for a retry.
func (r *RowErrors) Add(row int, err error) {
	kind, message := fail.Of(err)
	r.errors = append(r.errors, host.RowError{Row: uint32(row), Retry: kind == fail.Transient, Message: message})
}

// Len is how many were added.
func (r *RowErrors) Len() int { return len(r.errors) }

// Rows are the indices of the bad rows, as they were added.
func (r *RowErrors) Rows() []int {
	rows := make([]int, len(r.errors))
	for i, err := range r.errors {
		rows[i] = int(err.Row)
	}
	return rows
}

// List is the errors by row, one a row, counted from this row on. The SDK calls it.
func (r *RowErrors) List(from int) []host.RowError {
	sort.SliceStable(r.errors, func(a, b int) bool { return r.errors[a].Row < r.errors[b].Row })
	var list []host.RowError
	for i, err := range r.errors {
		if i == 0 || err.Row != r.errors[i-1].Row {
			err.Row += uint32(from)
			list = append(list, err)
		}
	}
	return list
}
