// Package tests looks at what the other packages cannot: that new plugins build, and that the guide's examples do.
package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs go in a folder.
func run(t *testing.T, folder string, arguments ...string) {
	t.Helper()
	command := exec.Command("go", arguments...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOWORK=off")
	if said, err := command.CombinedOutput(); err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(arguments, " "), err, said)
	}
}

// sdk is a link to this SDK where a new plugin has its copy.
func sdk(t *testing.T, folder string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err == nil {
		err = os.Symlink(root, filepath.Join(folder, "streamhost-sdk"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestANewPluginOfEachKindBuildsAndPassesItsTests(t *testing.T) {
	for _, kind := range []string{"filter", "map", "transform", "batch-sink", "keyed", "function"} {
		t.Run(kind, func(t *testing.T) {
			folder, of := t.TempDir(), filepath.Join("..", "template")
			sdk(t, folder)
			summary := strings.TrimSpace(read(t, filepath.Join(of, kind, "summary")))
			filled := func(text string) string {
				return strings.NewReplacer("{{name}}", "my-"+kind, "{{summary}}", summary, "{{sdk}}", "streamhost-sdk").Replace(text)
			}
			write(t, filepath.Join(folder, "go.mod"), filled(read(t, filepath.Join(of, "go.mod.tmpl"))))
			write(t, filepath.Join(folder, "plugin_test.go"), filled(read(t, filepath.Join(of, "plugin_test.go.tmpl"))))
			write(t, filepath.Join(folder, "plugin.go"), read(t, filepath.Join(of, kind, "plugin.go")))
			write(t, filepath.Join(folder, "tests", "basic.toml"), read(t, filepath.Join(of, kind, "basic.toml")))
			if rust := filepath.Join("..", "..", "rust", "template", kind, "basic.toml"); read(t, filepath.Join(of, kind, "basic.toml")) != read(t, rust) {
				t.Error("the case is another one than that of Rust's template")
			}
			run(t, folder, "vet", ".")
			run(t, folder, "test", ".")
		})
	}
}

var imports = map[string]string{
	"streamhost.": "streamhost", "stateless.": "streamhost/stateless", "stateful.": "streamhost/stateful", "arrow.": "streamhost/arrow",
	"batchsink.": "streamhost/batchsink", "sqlfunctions.": "streamhost/sqlfunctions", "row.": "streamhost/row",
	"streamhosttest.": "streamhost/streamhosttest", "strings.": "strings", "strconv.": "strconv", "slices.": "slices", "maps.": "maps",
	"testing.": "testing",
}

// TestTheGuidesExamplesAreGo builds each of them as a package of its own.
func TestTheGuidesExamplesAreGo(t *testing.T) {
	folder := t.TempDir()
	sdk(t, folder)
	write(t, filepath.Join(folder, "go.mod"), "module guide\n\ngo 1.26\n\nrequire streamhost v0.0.0\n\nreplace streamhost => ./streamhost-sdk\n")
	examples := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, filepath.Join("..", "README.md")), -1)
	if len(examples) < 10 {
		t.Fatalf("there are %d examples", len(examples))
	}
	for i, example := range examples {
		text, name := example[1], fmt.Sprintf("example%d", i)
		switch {
		case strings.HasPrefix(text, "package "):
		case strings.HasPrefix(text, "func ") || strings.HasPrefix(text, "type "):
			text = packaged(text)
		default:
			text = packaged("func _(values, sums []float64) {\n" + text + "}\n")
		}
		write(t, filepath.Join(folder, name, "plugin.go"), text)
	}
	run(t, folder, "vet", "./example...")
}

func packaged(text string) string {
	head := "package main\n\n"
	for of, path := range imports {
		if regexp.MustCompile(`\b` + regexp.QuoteMeta(of)).MatchString(text) {
			head += "import \"" + path + "\"\n"
		}
	}
	return head + "\nfunc main() {}\n\n" + text
}
