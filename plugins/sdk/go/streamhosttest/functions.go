package streamhosttest

import (
	"errors"

	"streamhost/arrow"
	"streamhost/internal/host"
	"streamhost/internal/json"
)

// Functions are those of a plugin, with its configuration.
type Functions struct {
	plugin     host.Scalars
	signatures []host.Signature
}

// BindFunctions binds the plugin to a configuration as JSON, or none.
func BindFunctions(config string) (*Functions, error) {
	plugin, ok := host.Of(host.Functions).(host.Scalars)
	if !ok {
		return nil, errors.New("no function is registered")
	}
	_, _, err := bound(host.Functions, config, "", nil)
	return &Functions{plugin, plugin.Signatures()}, err
}

// Call gives the results of a function for rows of its arguments, a JSON object a line, as JSON, a result a line: for "words" these are
// {"words":2}. As with SQL the result is NULL where an argument is NULL that must not be.
func (f *Functions) Call(function, rows string) (string, error) {
	results, err := f.call(function, rows)
	return printRows(results), err
}

func (f *Functions) call(function, rows string) ([]json.Object, error) {
	signature, err := f.named(function)
	if err != nil {
		return nil, err
	}
	arguments, err := arrow.DecodeSchema(signature.Arguments)
	if err != nil {
		return nil, err
	}
	given, err := lines(rows)
	if err != nil {
		return nil, err
	}
	var asked []json.Object
	for _, row := range given {
		if !hasNull(row, arguments) {
			asked = append(asked, row)
		}
	}
	answers, err := f.answers(signature, arguments, asked)
	if err != nil {
		return nil, err
	}
	results := make([]json.Object, len(given))
	for i, row := range given {
		if !hasNull(row, arguments) {
			if result, ok := answers[0].Get("result"); ok {
				results[i] = json.Object{{Name: signature.Name, Value: result}}
			}
			answers = answers[1:]
		}
	}
	return results, nil
}

func (f *Functions) answers(signature host.Signature, arguments arrow.Schema, asked []json.Object) ([]json.Object, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	batch, err := batchOf(asked, arguments)
	if err != nil {
		return nil, err
	}
	returns, err := arrow.DecodeSchema(signature.Returns)
	if err != nil {
		return nil, err
	}
	messages, err := guarded(func() ([]byte, error) { return f.plugin.Call(signature.Name, batch.Encode(nil)) })
	if err != nil {
		return nil, err
	}
	return decode(messages, returns)
}

// named is the function of a name; of no name, the only one.
func (f *Functions) named(name string) (host.Signature, error) {
	for _, signature := range f.signatures {
		if signature.Name == name || name == "" && len(f.signatures) == 1 {
			return signature, nil
		}
	}
	return host.Signature{}, errors.New("say which function is called: function = \"name\"")
}

// hasNull says whether a row has NULL for an argument that must not be.
func hasNull(row json.Object, arguments arrow.Schema) bool {
	for _, argument := range arguments {
		if value, _ := row.Get(argument.Name); value == nil && !argument.Nullable {
			return true
		}
	}
	return false
}
