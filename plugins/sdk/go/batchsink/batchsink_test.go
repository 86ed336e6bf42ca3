package batchsink_test

import (
	"errors"
	"testing"

	"streamhost"
	"streamhost/arrow"
	"streamhost/batchsink"
	"streamhost/internal/host"
	"streamhost/streamhosttest"
)

type call = *streamhost.Call[streamhost.NoConfig]

type count struct{ Rows int64 }

func outputs(_ *streamhost.NoConfig, input arrow.Schema) ([]batchsink.Output, error) {
	return []batchsink.Output{{Name: "rows", Columns: input}, batchsink.OutputOf[count]("counts")}, nil
}

func sink(t *testing.T, store func(call call, rows *batchsink.Rows, outputs *batchsink.Outputs) error) *streamhosttest.Sink {
	t.Helper()
	host.Reset()
	batchsink.Store(outputs, store, streamhost.Reads("id"))
	sink, err := streamhosttest.BindSink("", "other STRING, id BIGINT")
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func TestEachBatchIsStored(t *testing.T) {
	stored, err := sink(t, func(_ call, rows *batchsink.Rows, outputs *batchsink.Outputs) error {
		total := int64(0)
		for batch, err := range rows.All() {
			if err != nil {
				return err
			}
			total += int64(batch.Rows())
			if err := outputs.Write("rows", batch); err != nil {
				return err
			}
		}
		if changed, err := outputs.Execute("counts", "UPDATE t SET n = $1", arrow.NewBatch(arrow.Named{Name: "n", Column: arrow.Of([]int64{total})})); err != nil || changed != 1 {
			return errors.New("nothing was changed")
		}
		return batchsink.WriteRows(outputs, "counts", count{total})
	}).Run(`{"id": 1}`+"\n"+`{"id": 2, "other": "x"}`, `{"id": null}`)
	if err != nil {
		t.Fatal(err)
	}
	stored.Expect(t, "rows", "{\"id\": 1}\n{\"id\": 2}\n{}")
	stored.Expect(t, "counts", `{"rows": 3}`)
	if said := stored.Statements[0]; said.Output != "counts" || said.Text != "UPDATE t SET n = $1" || said.Parameters() != "{\"n\":3}\n" {
		t.Error(said)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	other := arrow.NewBatch(arrow.Named{Name: "id", Column: arrow.Of([]int32{1})})
	for wanted, output := range map[string]string{
		"the plugin did not say that it writes to an output `else`": "else",
		"output `rows` takes id BIGINT, and is given id INT":        "rows",
	} {
		_, err := sink(t, func(_ call, _ *batchsink.Rows, outputs *batchsink.Outputs) error { return outputs.Write(output, other) }).Run("")
		if err == nil || err.Error() != wanted {
			t.Errorf("the error is %v, and should be %s", err, wanted)
		}
	}
	_, err := sink(t, func(call, *batchsink.Rows, *batchsink.Outputs) error { panic("no") }).Run("")
	if err == nil {
		t.Error("a panic goes through")
	}
}
