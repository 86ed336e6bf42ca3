package stateful

import (
	"strconv"

	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/bind"
	"streamhost/internal/config"
	"streamhost/internal/host"
)

// plugin is functions over columns, and what they are bound to.
type plugin[C any] struct {
	spec      *streamhost.Spec
	functions Functions[C]
	config    *C
	input     Input
	plan      Plan
}

// Describe is part of host.Plugin.
func (p *plugin[C]) Describe() host.Description { return streamhost.Describe[C](p.spec) }

// Bind reads the configuration, picks the columns and asks the plugin what it makes of them.
func (p *plugin[C]) Bind(text string, message []byte, keys []string) (host.Binding, error) {
	p.config = nil
	if len(keys) == 0 {
		return host.Binding{}, streamhost.Invalid("`" + p.spec.Description.Name +
			"` keeps state for each key: name the key's columns, as in keys = [\"user_id\"]")
	}
	config, err := config.Read[C](text)
	if err != nil {
		return host.Binding{}, err
	}
	schema, err := arrow.DecodeSchema(message)
	if err != nil {
		return host.Binding{}, err
	}
	all := p.spec.Reads == nil
	input, err := inputOf(schema, keys, p.reads(config), all)
	if err != nil {
		return host.Binding{}, err
	}
	plan, err := p.functions.Plan(config, input)
	if err != nil {
		return host.Binding{}, err
	}
	p.config, p.input, p.plan = config, input, nullable(plan)
	binding := host.Binding{Reads: input.Rows.Names(), All: all, Shape: host.Rows, Schema: p.plan.Output.Encode()}
	for _, side := range p.plan.Side {
		binding.Side = append(binding.Side, host.Side{Name: side.Name, Bytes: side.Columns.Encode()})
	}
	return binding, nil
}

func (p *plugin[C]) reads(config *C) []string {
	if p.spec.Reads == nil {
		return nil
	}
	return p.spec.Reads(config)
}

func nullable(plan Plan) Plan {
	plan.Output = plan.Output.AllNullable()
	for i := range plan.Side {
		plan.Side[i].Columns = plan.Side[i].Columns.AllNullable()
	}
	return plan
}

func inputOf(schema arrow.Schema, keys, reads []string, all bool) (Input, error) {
	rows, err := bind.Project(schema, reads, all)
	if err != nil {
		return Input{}, err
	}
	input := Input{Rows: rows}
	for _, key := range keys {
		at := schema.Index(key)
		if at < 0 {
			return Input{}, bind.Missing(key, schema)
		}
		input.Keys = append(input.Keys, schema[at])
	}
	return input, nil
}

// Tables are what the host is told of the tables.
func (p *plugin[C]) Tables() []host.Declaration {
	var list []host.Declaration
	for i := range p.plan.Tables {
		list = append(list, p.plan.Tables[i].declaration())
	}
	return list
}

// Process processes the rows of some keys.
func (p *plugin[C]) Process(cx host.Context, sent host.Groups, store host.Store) (host.Emitted, error) {
	if p.config == nil {
		return host.Emitted{}, permanent("a call came before `bind`")
	}
	keys, err := arrow.DecodeOne(sent.Keys, p.input.Keys)
	if err != nil {
		return host.Emitted{}, err
	}
	rows, err := arrow.DecodeOne(sent.Rows, p.input.Rows)
	if err != nil {
		return host.Emitted{}, err
	}
	groups, err := newGroups(keys, sent.Starts, rows, sent.More)
	if err != nil {
		return host.Emitted{}, err
	}
	call := streamhost.CallOf(cx, p.config)
	output, err := p.functions.Process(call, groups, &State{tables: p.plan.Tables, store: store})
	return p.emitted(output, call.Errors, err)
}

// TimersFired processes timers that are due.
func (p *plugin[C]) TimersFired(cx host.Context, clock host.Clock, keys []byte, timers []host.Timer, store host.Store) (host.Emitted, error) {
	if p.config == nil {
		return host.Emitted{}, permanent("a call came before `bind`")
	}
	of, err := arrow.DecodeOne(keys, p.input.Keys)
	if err != nil {
		return host.Emitted{}, err
	}
	fired, err := newFired(clock, of, timers)
	if err != nil || p.functions.Fired == nil {
		return host.Emitted{}, err
	}
	call := streamhost.CallOf(cx, p.config)
	output, err := p.functions.Fired(call, fired, &State{tables: p.plan.Tables, store: store})
	return p.emitted(output, call.Errors, err)
}

// Migrate brings entries of an older version into the columns of now.
func (p *plugin[C]) Migrate(name string, version uint32, schema, messages []byte) ([]byte, error) {
	table := p.table(name)
	if table == nil {
		return nil, streamhost.Invalid("a table `" + name + "` is stored, and the plugin has none of that name")
	}
	columns, err := arrow.DecodeSchema(schema)
	if err != nil {
		return nil, err
	}
	batches, err := arrow.Decode(messages, columns)
	var answer []byte
	for i := 0; err == nil && i < len(batches); i++ {
		var renewed *arrow.Batch
		if renewed, err = p.renewed(&Before{name, version, batches[i]}); err != nil {
			return nil, err
		}
		if given, wanted := renewed.Rows(), batches[i].Rows(); given != wanted {
			return nil, permanent("table `" + name + "`: " + strconv.Itoa(wanted) + " entries are to be migrated, and there are " +
				strconv.Itoa(given) + " rows of them")
		}
		answer, err = encode(answer, "table `"+name+"`", renewed, table.columns())
	}
	return answer, err
}

func (p *plugin[C]) table(name string) *Table {
	for i := range p.plan.Tables {
		if p.plan.Tables[i].name == name {
			return &p.plan.Tables[i]
		}
	}
	return nil
}

func (p *plugin[C]) renewed(before *Before) (*arrow.Batch, error) {
	if p.functions.Migrate == nil {
		return nil, before.Unknown()
	}
	return p.functions.Migrate(p.config, before)
}

func (p *plugin[C]) emitted(output Output, errors *streamhost.RowErrors, err error) (host.Emitted, error) {
	if err != nil {
		return host.Emitted{}, err
	}
	emitted := host.Emitted{Errors: errors.List(0)}
	if output.Main != nil {
		emitted.Main, err = encode(nil, "the output", output.Main, p.plan.Output)
	}
	for _, side := range output.Side {
		columns := p.side(side.Name)
		if columns == nil {
			return host.Emitted{}, permanent("the plugin did not say that it has a side output `" + side.Name + "`")
		}
		var messages []byte
		if err == nil {
			messages, err = encode(nil, "side output `"+side.Name+"`", side.Rows, columns)
		}
		emitted.Side = append(emitted.Side, host.Side{Name: side.Name, Bytes: messages})
	}
	return emitted, err
}

func (p *plugin[C]) side(name string) arrow.Schema {
	for _, side := range p.plan.Side {
		if side.Name == name {
			return side.Columns
		}
	}
	return nil
}

// encode adds the message of a batch, which has to have these columns.
func encode(to []byte, what string, rows *arrow.Batch, columns arrow.Schema) ([]byte, error) {
	if !columns.Alike(rows.Schema()) {
		return to, permanent(what + " has the columns " + columns.DDL() + ", and is given " + rows.Schema().DDL())
	}
	if rows.Rows() == 0 {
		return to, nil
	}
	return rows.Encode(to), nil
}
