//! Requests of plugins as a pipeline grants them: who is refused at the start, what goes with a request, and what becomes of rows.

use crate::binary::{Running, command, fails, json_lines, ok, plugin, run, text, write};
use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use tempfile::TempDir;
use tests::services::{
    Service, ports,
    web::{Web, reply},
};

/// What no text may have in it.
const SECRET: &str = "hunter2-of-the-scores";

/// A folder with three users in an input file, and a pipeline that enriches them by what `step` says.
fn job(step: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("in/a.json"), "{\"user\":\"ann\"}\n{\"user\":\"bob\"}\n{\"user\":\"ann\"}\n");
    write(dir.path().join("token"), format!("Bearer {SECRET}\n"));
    pipeline(dir.path(), step);
    dir
}

fn pipeline(folder: &Path, step: &str) {
    let enrich = plugin("enrich-http");
    write(
        folder.join("pipeline.toml"),
        format!(
            "trigger = \"available-now\"\ncheckpoint = \"checkpoint\"\nparallelism = 1\n\
             [secrets]\nscores = {{ file = \"token\" }}\n\
             [sources.events]\nschema = \"user STRING\"\nfiles = {{ path = \"in\", format = \"json\" }}\n\
             [steps.scored]\nplugin = {enrich:?}\n{step}\n\
             [sinks.scored]\nfrom = \"scored\"\nfiles = {{ path = \"out\", format = \"json\" }}\n"
        ),
    );
}

/// Asks the server for each user's score.
fn config(web: &Web) -> String {
    let url = web.url("/scores/{key}");
    format!("config = {{ url = {url:?}, key = \"user\", columns = \"score BIGINT\", at-once = 1 }}")
}

fn allow(web: &Web) -> String {
    format!("allow = {{ http = [{:?}] }}", web.place())
}

/// Answers each user's score: how many letters the path has.
fn scores() -> Web {
    Web::start(|seen| reply(200, &[], &format!("{{\"score\": {}}}", seen.line.len())))
}

const SCORED: [&str; 3] =
    ["{\"user\":\"ann\",\"score\":15}", "{\"user\":\"ann\",\"score\":15}", "{\"user\":\"bob\",\"score\":15}"];

/// What the sink has, if it has anything.
fn stored(folder: &Path) -> Vec<String> {
    let out = folder.join("out");
    if out.exists() { json_lines(&out) } else { Vec::new() }
}

fn everything(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn a_plugin_that_asks_and_is_not_allowed_is_refused_with_the_line_to_add() {
    let web = scores();
    let dir = job(&config(&web));
    for verb in ["check", "explain", "run"] {
        let said = fails(2, dir.path(), [verb, "pipeline.toml"]);
        assert!(said.contains("pipeline.toml:9:8: "), "{said}");
        assert!(
            said.contains(
                "the plugin asks for http, which it is not allowed; add allow = { http = [\"host:port\"] }"
            ),
            "{said}"
        );
    }
    assert!(web.seen().is_empty());
    pipeline(dir.path(), &format!("{}\nallow = {{}}\non-error = \"skip\"", config(&web)));
    ok(dir.path(), ["check", "pipeline.toml"]);
    let output = run(dir.path(), ["run", "pipeline.toml"]);
    assert!(output.status.success() && stored(dir.path()).is_empty(), "{}", everything(&output));
    assert!(everything(&output).contains("a request was denied: this plugin was not granted HTTP"));
    assert!(web.seen().is_empty());
}

#[test]
fn what_is_allowed_in_vain_or_is_no_place_is_refused_where_it_stands() {
    let web = scores();
    let dir = job(&config(&web));
    let other = fs::read_to_string(dir.path().join("pipeline.toml")).unwrap();
    let mask =
        other.replace(plugin("enrich-http").to_str().unwrap(), plugin("explode-words").to_str().unwrap());
    let mask = mask.replace(&config(&web), "config = { column = \"user\" }\nallow = { http = [\"a:443\"] }");
    write(dir.path().join("other.toml"), mask);
    let said = fails(2, dir.path(), ["check", "other.toml"]);
    assert!(said.contains("the plugin does not ask for http, so it would get none"), "{said}");
    pipeline(
        dir.path(),
        &format!(
            "{}\nallow = {{ http = [\"a:443\", \"*.b:443\"] }}\nheaders = {{ \"c:443\" = {{ A = \"b\" }} }}",
            config(&web)
        ),
    );
    let said = fails(2, dir.path(), ["check", "pipeline.toml"]);
    for words in [
        "pipeline.toml:12:28: \"*.b:443\" is a pattern, and each host is named by itself",
        "\"c:443\" is not among the places in allow.http",
    ] {
        assert!(said.contains(words), "{words} in\n{said}");
    }
}

#[test]
fn what_is_granted_is_told_before_it_starts_and_rows_get_their_columns() {
    let web = scores();
    let dir = job(&format!("{}\n{}", config(&web), allow(&web)));
    let place = format!("may send requests to http://{}", web.place());
    assert!(ok(dir.path(), ["explain", "pipeline.toml"]).contains(&format!("asks for http; {place}")));
    assert!(web.seen().is_empty(), "explaining sends nothing");
    let output = run(dir.path(), ["run", "pipeline.toml"]);
    let said = everything(&output);
    assert!(output.status.success() && said.contains(&format!("step `scored`: {place}")), "{said}");
    assert_eq!(stored(dir.path()), SCORED);
    assert_eq!(web.seen().len(), 2, "each user once");
}

#[test]
fn a_secret_goes_to_the_server_and_nowhere_else() {
    let web = Web::start(|_| reply(500, &[], "no"));
    let header = format!("headers = {{ {:?} = {{ Authorization = \"secret:scores\" }} }}", web.place());
    let dead = "on-error = \"dead-letter\"\n[sinks.dead]\nfrom = \"scored.dead-letter\"\nfiles = { path = \"dead\", format = \"json\" }";
    let dir = job(&format!("{}\n{}\n{header}\n{dead}", config(&web), allow(&web)));
    let mut said = ok(dir.path(), ["explain", "pipeline.toml"]);
    assert!(said.contains("(with authorization)"), "{said}");
    let output = run(dir.path(), ["run", "pipeline.toml", "--log", "debug"]);
    said += &everything(&output);
    assert!(output.status.success(), "{said}");
    let dead = json_lines(&dir.path().join("dead")).join("\n");
    assert!(dead.contains("answered 500"), "{dead}");
    let sent: Vec<_> =
        web.seen().iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, vec![Some(format!("Bearer {SECRET}")); 2]);
    let stored = files(dir.path()).into_iter().filter(|file| !file.ends_with("token"));
    let stored: String = stored.map(|file| text(&fs::read(file).unwrap())).collect();
    assert!(!(said + &dead + &stored).contains("hunter2"));
    // A value that can be no header is not shown either.
    write(dir.path().join("token"), format!("{SECRET}\nX-Evil: 1\n"));
    let said = fails(2, dir.path(), ["check", "pipeline.toml"]);
    assert!(said.contains("the value of the header Authorization") && !said.contains("hunter2"), "{said}");
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Is busy for the first two requests.
fn busy() -> Web {
    let asked = AtomicUsize::new(0);
    Web::start(move |_| match asked.fetch_add(1, Relaxed) {
        0 | 1 => reply(503, &[], "busy"),
        _ => reply(200, &[], "{\"score\": 15}"),
    })
}

#[test]
fn a_row_whose_server_is_busy_is_tried_again() {
    let web = busy();
    let retry = "retry = { attempts = 3, backoff = \"10ms..20ms\" }";
    let dir = job(&format!("{}\n{}\n{retry}", config(&web), allow(&web)));
    ok(dir.path(), ["run", "pipeline.toml"]);
    assert_eq!(stored(dir.path()), SCORED);
    assert_eq!(web.seen().len(), 4);
}

#[test]
fn without_a_further_try_the_row_is_in_error() {
    let web = busy();
    let dir = job(&format!("{}\n{}", config(&web), allow(&web)));
    let said = fails(3, dir.path(), ["run", "pipeline.toml"]);
    assert!(said.contains("line 1: GET http://127.0.0.1:") && said.contains("answered 503"), "{said}");
}

#[test]
fn a_replay_asks_again_and_stores_each_row_once() {
    let web = scores();
    let dir = job(&format!("{}\n{}", config(&web), allow(&web)));
    assert!(crate::kill::kill_at(dir.path(), "0:ran"));
    assert_eq!(web.seen().len(), 2);
    ok(dir.path(), ["run", "pipeline.toml"]);
    assert_eq!((stored(dir.path()), web.seen().len()), (SCORED.map(String::from).to_vec(), 4));
}

#[test]
fn a_flag_allows_what_a_file_would() {
    let web = scores();
    let dir = job("");
    let (enrich, place, url) = (plugin("enrich-http"), web.place(), web.url("/scores/{key}"));
    let config = format!("{{\"url\": {url:?}, \"key\": \"user\", \"columns\": \"score BIGINT\"}}");
    let flags = ["--from", "in", "--format", "json", "--to", "-", "--to-format", "json", "--trigger", "once"];
    let all =
        ["run", "--plugin", enrich.to_str().unwrap(), "--plugin-config", &config, "--allow-http", &place];
    let mut printed: Vec<String> =
        ok(dir.path(), all.into_iter().chain(flags)).lines().map(str::to_owned).collect();
    printed.sort();
    assert_eq!(printed, SCORED);
    let said = fails(2, dir.path(), all[..5].iter().copied().chain(flags));
    assert!(said.contains("or --allow-http host:port"), "{said}");
}

#[test]
fn tls_is_by_the_systems_certificates() {
    let port = ports(1);
    let server = Service::start("https.sh", &[("HTTPS_PORT", port.to_string())]);
    let place = format!("https://localhost:{port}");
    let step = format!(
        "config = {{ url = \"{place}/{{key}}\", key = \"user\", columns = \"path STRING, token STRING\" }}\n\
         allow = {{ http = [{place:?}] }}\nheaders = {{ {place:?} = {{ Authorization = \"secret:scores\" }} }}"
    );
    let dir = job(&step);
    let with_roots = |file: &Path| {
        let mut child = command(dir.path(), ["run", "pipeline.toml"]);
        child.env("SSL_CERT_FILE", file).stdout(Stdio::piped()).stderr(Stdio::piped());
        let Running(child) = &mut Running(child.spawn().unwrap());
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
        (child.wait().unwrap().code(), said)
    };
    let (code, said) = with_roots(&server.data.join("server.crt"));
    assert!(
        code == Some(3) && said.contains("the server's certificate is not to be trusted"),
        "{code:?} {said}"
    );
    let (code, said) = with_roots(&server.data.join("ca.pem"));
    assert_eq!(code, Some(0), "{said}");
    let rows = stored(dir.path());
    assert_eq!(rows[2], format!("{{\"user\":\"bob\",\"path\":\"/bob\",\"token\":\"Bearer {SECRET}\"}}"));
}
