package streamhosttest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"streamhost/internal/fail"
	"streamhost/internal/host"
	"streamhost/internal/json"
	"streamhost/internal/toml"
)

// Cases runs every tests/*.toml of a plugin's folder, each as a subtest, with the plugin that is registered: what `streamhost test` runs on
// the component.
func Cases(t *testing.T, folder string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(folder, "tests", "*.toml"))
	if len(files) == 0 {
		t.Fatalf("no cases in %s/tests: put one there as a .toml file", folder)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) { Case(t, file) })
	}
}

// Case runs one file.
func Case(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	table, err := toml.Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	c := &fixture{t: t, table: table}
	c.known("config", "schema", "function", "input", "expect", "errors", "failure", "outputs", "statements", "keys", "epochs")
	switch {
	case table["keys"] != nil:
		c.keyed()
	case host.Of(host.BatchSink) != nil:
		c.sink()
	case host.Of(host.Functions) != nil && host.Of(host.Transform) == nil:
		c.function()
	default:
		c.transform()
	}
}

// fixture is a case, or one epoch of it.
type fixture struct {
	t     *testing.T
	table toml.Table
}

// known refuses what is misspelled.
func (c *fixture) known(keys ...string) {
	c.t.Helper()
	for key := range c.table {
		if !slices.Contains(keys, key) {
			c.t.Fatalf("unknown field `%s`; there are %s", key, strings.Join(keys, ", "))
		}
	}
}

func (c *fixture) text(key string) string {
	text, _ := c.table[key].(string)
	return text
}

func (c *fixture) texts(key string) []string {
	var texts []string
	list, _ := c.table[key].([]any)
	for _, text := range list {
		texts = append(texts, fmt.Sprint(text))
	}
	return texts
}

func (c *fixture) config() string {
	if c.table["config"] == nil {
		return "{}"
	}
	return toml.JSON(c.table["config"])
}

// failed compares a failure with the one that is expected; true if there is one or should be.
func (c *fixture) failed(err error, binding bool) bool {
	c.t.Helper()
	given := ""
	if err != nil {
		given = failure(err, binding)
	}
	if wanted := c.text("failure"); given != wanted {
		c.t.Errorf("the failure is\n  %q\nand should be\n  %q", given, wanted)
	}
	return err != nil || c.table["failure"] != nil
}

// failure is the kind and the message, as a case writes them.
func failure(err error, binding bool) string {
	kind, message := fail.Of(err)
	if binding && kind == fail.Permanent {
		kind = fail.Invalid
	}
	return [...]string{"invalid: ", "transient: ", "permanent: "}[kind] + message
}

func (c *fixture) answer(answer *Answer) {
	c.t.Helper()
	same(c.t, "the rows", answer.rows, c.text("expect"))
	if wanted := c.texts("errors"); !slices.Equal(answer.Errors, wanted) {
		c.t.Errorf("the errors are\n  %q\nand should be\n  %q", answer.Errors, wanted)
	}
	c.outputs(answer.side)
}

// outputs compares those that got rows.
func (c *fixture) outputs(given map[string][]json.Object) {
	c.t.Helper()
	wanted, _ := c.table["outputs"].(toml.Table)
	for name, rows := range wanted {
		same(c.t, "output `"+name+"`: the rows", given[name], fmt.Sprint(rows))
	}
	for name, rows := range given {
		if wanted[name] == nil && len(rows) > 0 {
			c.t.Errorf("output `%s` got rows, and should not:\n%s", name, printRows(rows))
		}
	}
}

func (c *fixture) transform() {
	c.t.Helper()
	plugin, err := Bind(c.config(), c.text("schema"))
	if err != nil {
		c.failed(err, true)
		return
	}
	answer, err := plugin.Run(c.text("input"))
	if !c.failed(err, false) {
		c.answer(answer)
	}
}

func (c *fixture) sink() {
	c.t.Helper()
	sink, err := BindSink(c.config(), c.text("schema"))
	if err != nil {
		c.failed(err, true)
		return
	}
	stored, err := sink.Run(c.text("input"))
	if c.failed(err, false) {
		return
	}
	c.outputs(stored.outputs)
	statements, _ := c.table["statements"].([]any)
	if len(statements) != len(stored.Statements) {
		c.t.Fatalf("there are %d statements, and should be %d", len(stored.Statements), len(statements))
	}
	for i, given := range stored.Statements {
		wanted, _ := statements[i].(toml.Table)
		if given.Output != wanted["output"] || given.Text != strings.TrimSpace(fmt.Sprint(wanted["statement"])) {
			c.t.Errorf("statement %d is\n  %s: %s\nand should be\n  %s: %s", i, given.Output, given.Text, wanted["output"], wanted["statement"])
		}
		same(c.t, "the parameters", given.parameters, fmt.Sprint(wanted["parameters"]))
	}
}

func (c *fixture) function() {
	c.t.Helper()
	functions, err := BindFunctions(c.config())
	if err != nil {
		c.failed(err, true)
		return
	}
	results, err := functions.call(c.text("function"), c.text("input"))
	if !c.failed(err, false) {
		same(c.t, "the results", results, c.text("expect"))
	}
}

func (c *fixture) keyed() {
	c.t.Helper()
	job, err := BindKeyed(c.config(), c.text("schema"), c.texts("keys")...)
	if err != nil || c.table["failure"] != nil {
		c.failed(err, true)
		return
	}
	epochs, _ := c.table["epochs"].([]any)
	for number, epoch := range epochs {
		table, _ := epoch.(toml.Table)
		c.t.Run(fmt.Sprint("epoch ", number), func(t *testing.T) { (&fixture{t: t, table: table}).epoch(job) })
	}
}

func (c *fixture) epoch(job *Job) {
	c.t.Helper()
	c.known("watermark", "now", "input", "expect", "outputs", "errors", "failure")
	for key, set := range map[string]func(string) error{"watermark": job.Watermark, "now": job.Now} {
		if at := c.text(key); at != "" {
			if err := set(at); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	answer, err := job.Epoch(c.text("input"))
	if !c.failed(err, false) {
		c.answer(answer)
	}
}
