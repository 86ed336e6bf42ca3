use super::*;

fn resolve(text: &str) -> Result<Graph, Vec<String>> {
    let pipeline: Pipeline = toml::from_str(text).unwrap();
    Graph::resolve(&pipeline)
        .map_err(|ps| ps.into_iter().map(|p| format!("{}: {}", p.key.join("."), p.message)).collect())
}

const SOURCE: &str = "[sources.in.rate]\n";

#[test]
fn from_defaults_to_the_step_above_or_the_only_source() {
    let graph = resolve(&format!("{SOURCE}[steps.a]\nplugin='p'\n[steps.b]\nplugin='p'\n[sinks.out.noop]\n"))
        .unwrap();
    let read = |upstream| vec![(String::new(), upstream)];
    assert_eq!(graph.steps, [read(Upstream::Source(0)), read(Upstream::Step(0, None))]);
    assert_eq!(graph.sinks, [Upstream::Step(1, None)]);
}

#[test]
fn dead_letters_that_nobody_reads_are_refused() {
    let step = "[steps.a]\nplugin='p'\non-error='dead-letter'\n[sinks.out]\nfrom='a'\n[sinks.out.noop]\n";
    let problems = resolve(&format!("{SOURCE}{step}")).unwrap_err();
    assert!(problems[0].starts_with("steps.a.on-error: no sink reads the dead letters"), "{problems:?}");
    let read = "[sinks.bad]\nfrom='a.dead-letter'\n[sinks.bad.noop]\n";
    assert!(resolve(&format!("{SOURCE}{step}{read}")).is_ok());
}

#[test]
fn a_query_reads_tables_beside_sources_and_a_table_keeps_its_files_and_its_name() {
    let table = "[tables.users.files]\npath='u.json'\n";
    let join = "[steps.a]\nsql='SELECT * FROM in JOIN users ON a = b'\n[sinks.out.noop]\n";
    let graph = resolve(&format!("{SOURCE}{table}{}", join.replace("FROM in", "FROM `in`"))).unwrap();
    let read = [("in".to_owned(), Upstream::Source(0)), ("users".to_owned(), Upstream::Table(0))];
    assert_eq!(graph.steps, [read]);
    let wrong = "[tables.in]\n[tables.gone.files]\npath='x'\nclean='delete'\n[sinks.out.noop]\n";
    assert_eq!(
        resolve(&format!("{SOURCE}{wrong}")).unwrap_err(),
        [
            "tables.in: `in` is a source or a step already; choose another name",
            "tables.in: table `in` has no connector; add one of [tables.in.files], [tables.in.delta], [tables.in.sql]",
            "tables.gone.files.clean: a table's files are read again: they stay where they are; leave `clean` out",
        ]
    );
    let alone = "[sinks.out]\nfrom='users'\n[sinks.out.noop]\n";
    assert!(
        resolve(&format!("{SOURCE}{table}{alone}")).unwrap_err()[0]
            .contains("there is no source or step `users`")
    );
}

#[test]
fn two_connectors_and_odd_names_are_refused() {
    let problems = resolve("[sources.in]\nrate={}\nstdin={}\n[sinks.'a/b'.noop]\n").unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[1].contains("more than one connector"), "{problems:?}");
}

#[test]
fn dead_letters_that_only_a_step_without_a_sink_reads_are_refused() {
    let steps =
        "[steps.a]\nplugin='p'\non-error='dead-letter'\n[steps.b]\nplugin='p'\nfrom='a.dead-letter'\n";
    let sink = "[sinks.out]\nfrom='a'\n[sinks.out.noop]\n";
    let problems = resolve(&format!("{SOURCE}{steps}{sink}")).unwrap_err();
    assert_eq!(
        problems,
        [
            "steps.a.on-error: no sink reads the dead letters of step `a`; add a sink with from = \"a.dead-letter\", or set on-error = \"skip\"",
            "steps.b: no sink gets what step `b` puts out; add a sink with from = \"b\", or remove the step",
        ]
    );
    let other = "[sinks.bad]\nfrom='b'\n[sinks.bad.noop]\n";
    assert!(resolve(&format!("{SOURCE}{steps}{sink}{other}")).is_ok());
}

#[test]
fn dead_letters_of_a_step_that_puts_out_none_are_refused_with_the_setting() {
    let text =
        "[steps.a]\nplugin='p'\n[sinks.out.noop]\n[sinks.bad]\nfrom='a.dead-letter'\n[sinks.bad.noop]\n";
    assert_eq!(
        resolve(&format!("{SOURCE}{text}")).unwrap_err(),
        ["sinks.bad.from: step `a` puts out no dead letters; set on-error = \"dead-letter\" in [steps.a]"]
    );
}

#[test]
fn a_plan_without_an_aggregation_has_no_complete_result() {
    let mode = |sink: &str| {
        let text =
            format!("{SOURCE}[steps.a]\nplugin='p'\n[sinks.out]\nmode='complete'\n[sinks.out.{sink}]\n");
        resolve(&text).unwrap_err()
    };
    for sink in ["console", "noop", "stdout"] {
        assert_eq!(
            mode(sink),
            [
                "sinks.out.mode: sink `out` cannot have mode = \"complete\": step `a` passes rows on as they come, and only an aggregation has a result to store as a whole; use \"append\" or \"update\""
            ]
        );
    }
    assert!(mode("files]\npath='x'\n[sinks.other.noop").iter().all(|p| p.ends_with("; use \"append\"")));
}

#[test]
fn a_step_does_one_thing() {
    let problems = |step: &str| {
        resolve(&format!("{SOURCE}[steps.a]\n{step}\n[sinks.out.noop]\n")).err().unwrap_or_default()
    };
    assert_eq!(problems("drop-duplicates={keys=['x']}"), [""; 0]);
    for (step, says) in [
        ("plugin='p'\ndrop-duplicates={}", "steps.a.drop-duplicates: a step has one of sql, plugin"),
        ("sql='SELECT 1 FROM in'\nplugin='p'", "steps.a.plugin: a step has one of sql, plugin"),
        ("from='in'", "steps.a: the step does nothing; add sql, plugin, drop-duplicates or watermark"),
        (
            "drop-duplicates={}\non-error='skip'",
            "steps.a: config and on-error are for a plugin, and this step is a removal of duplicates",
        ),
    ] {
        let problems = problems(step);
        assert!(problems.len() == 1 && problems[0].starts_with(says), "{step}: {problems:?}");
    }
}

#[test]
fn only_a_step_with_a_plugin_follows_newer_ones() {
    let text = "[steps.a]\nsql='SELECT 1 FROM in'\nfollow=true\n[sinks.out.noop]\n";
    let problems = resolve(&format!("{SOURCE}{text}")).unwrap_err();
    assert_eq!(problems, ["steps.a.follow: follow is for a plugin, and this step has none"]);
}

#[test]
fn a_removal_of_duplicates_has_no_complete_result_even_behind_an_aggregation() {
    let steps = "[steps.a]\nsql='SELECT 1 FROM in'\n[steps.b]\ndrop-duplicates={}\n";
    let sink = "[sinks.out]\nmode='complete'\n[sinks.out.noop]\n";
    let problems = resolve(&format!("{SOURCE}{steps}{sink}")).unwrap_err();
    assert!(problems[0].starts_with("sinks.out.mode: sink `out` cannot have"), "{problems:?}");
}

#[test]
fn limits_that_would_let_nothing_through_are_refused() {
    for limit in ["files=0", "bytes='0MiB'", "rows=0"] {
        let text = format!(
            "retain-epochs=0\n[sources.in]\nmax-per-trigger={{{limit}}}\n[sources.in.stdin]\n[sinks.out.noop]\n"
        );
        let problems = resolve(&text).unwrap_err();
        assert!(problems[0].starts_with("retain-epochs: retain-epochs is at least 1"), "{problems:?}");
        assert!(
            problems[1].starts_with("sources.in.max-per-trigger: max-per-trigger is at least 1"),
            "{problems:?}"
        );
    }
}
