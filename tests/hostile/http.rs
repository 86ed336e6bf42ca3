//! Requests to what was not granted, answers that are too much, servers that are too slow.

use crate::binary::{built, root};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use async_trait::async_trait;
use engine::{Batch, EpochContext, Place, Step, SystemClock};
use plugin::{
    BindSettings, Compiler, HttpGrant, Limits, Names, Plugin, PluginStep, Runtime, RuntimeSettings,
};
use std::{
    collections::VecDeque,
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tests::services::web::{Web, reply};
use tokio::sync::OnceCell;

/// The guest that sends what its rows say, bound to a grant and a configuration.
struct Asking {
    step: PluginStep,
}

fn granted(places: &[&str]) -> HttpGrant {
    let mut grant = HttpGrant::default();
    places.iter().for_each(|place| grant.allow(place).unwrap());
    grant
}

/// The guest, compiled once.
async fn guest() -> &'static Plugin {
    static GUEST: OnceCell<Plugin> = OnceCell::const_new();
    let load = || async {
        let (compiler, scratch) = (Compiler::InProcess, std::env::temp_dir());
        let clock = Arc::new(SystemClock::new());
        let settings = RuntimeSettings { cache_dir: None, scratch, compiler, clock };
        let file = built(&root().join("tests/guests/ask"));
        Runtime::new(settings).unwrap().load(&file).await.map_err(|e| e.report()).unwrap()
    };
    GUEST.get_or_init(load).await
}

fn settings(grant: HttpGrant, config: &str) -> BindSettings {
    let columns = Schema::new(vec![Field::new("url", DataType::Utf8, true)]);
    let config = config.to_owned();
    BindSettings { config, http: grant, ..BindSettings::new("asking", Arc::new(columns)) }
}

impl Asking {
    async fn with(grant: HttpGrant, config: &str, adjust: impl FnOnce(&mut Limits)) -> Self {
        let mut settings = settings(grant, config);
        adjust(&mut settings.limits);
        Asking { step: guest().await.bind(settings).await.map_err(|e| e.report()).unwrap() }
    }

    async fn of(grant: HttpGrant) -> Self {
        Self::with(grant, "{}", |_| {}).await
    }

    /// What comes of requests to these URLs, in one call.
    async fn ask<U: AsRef<str>>(&self, urls: impl IntoIterator<Item = U>) -> Result<Vec<String>, String> {
        let urls: StringArray = urls.into_iter().map(|url| Some(url.as_ref().to_owned())).collect();
        let rows =
            RecordBatch::try_from_iter_with_nullable([("url", Arc::new(urls) as ArrayRef, true)]).unwrap();
        let place = Place::At { of: "urls".into(), unit: "line", first: 1 };
        let mut worker = self.step.worker().await.unwrap();
        let mut out = Vec::new();
        let done = worker.process(&EpochContext::alone("asking"), Batch::read(rows, place), &mut out).await;
        done.map_err(|e| e.report())?;
        let answers = out.iter().flat_map(|(_, batch)| {
            let answers = batch.rows.column_by_name("answer").unwrap().as_string::<i32>();
            (0..answers.len()).map(|row| answers.value(row).to_owned()).collect::<Vec<_>>()
        });
        Ok(answers.collect())
    }

    async fn one(&self, url: impl AsRef<str>) -> String {
        self.ask([url]).await.unwrap().remove(0)
    }
}

/// A server that answers `hello`.
fn hello() -> Web {
    Web::start(|_| reply(200, &[], "hello"))
}

/// Answers in turn; the last one for ever.
struct Told {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Told {
    fn of(answers: &[&[&str]]) -> Arc<Self> {
        let answers = answers.iter().map(|answer| answer.iter().map(|a| a.parse().unwrap()).collect());
        Arc::new(Told { answers: Mutex::new(answers.collect()), asked: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl Names for Told {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(host.to_owned());
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 {
            return Ok(answers.pop_front().unwrap());
        }
        Ok(answers.front().cloned().unwrap_or_default())
    }
}

const DENIED: &str = "it was denied";
const PROHIBITED: &str = "leads to an address that is not allowed";

#[tokio::test]
async fn what_is_granted_is_answered() {
    let web = hello();
    let asking = Asking::of(granted(&[&web.place()])).await;
    assert_eq!(asking.one(web.url("/a?b")).await, "200 hello");
    let seen = web.seen();
    assert_eq!((seen.len(), seen[0].line.as_str()), (1, "GET /a?b"));
    assert_eq!(seen[0].header("host"), Some(web.place().as_str()));
}

#[tokio::test]
async fn a_body_arrives_whole_with_its_length() {
    let web = Web::start(|seen| reply(200, &[], &seen.body.len().to_string()));
    let body = "x".repeat(300_000);
    let config = format!("{{\"method\": \"POST\", \"body\": \"{body}\"}}");
    let asking = Asking::with(granted(&[&web.place()]), &config, |_| {}).await;
    assert_eq!(asking.one(web.url("/")).await, "200 300000");
}

#[tokio::test]
async fn another_host_port_or_scheme_is_denied_and_nothing_arrives() {
    let (web, other) = (hello(), hello());
    let asking = Asking::of(granted(&[&web.place()])).await;
    let urls = [
        other.url("/"),
        format!("https://127.0.0.1:{}/", web.port),
        format!("http://localhost:{}/", web.port),
        format!("http://127.0.0.1.nip.io:{}/", web.port),
        format!("http://[::1]:{}/", web.port),
        format!("http://[::ffff:127.0.0.1]:{}/", web.port),
        "http://169.254.169.254/latest/meta-data/".into(),
        "https://example.com/".into(),
    ];
    for (url, answer) in urls.iter().zip(asking.ask(&urls).await.unwrap()) {
        assert!(answer.contains(DENIED), "{url}: {answer}");
    }
    assert!(web.seen().is_empty() && other.seen().is_empty());
}

#[tokio::test]
async fn without_a_grant_everything_is_denied() {
    let web = hello();
    let answer = Asking::of(HttpGrant::default()).await.one(web.url("/")).await;
    assert!(answer.contains(DENIED) && web.seen().is_empty(), "{answer}");
}

#[tokio::test]
async fn an_address_written_in_another_way_is_the_same_address() {
    let web = hello();
    let asking = Asking::of(granted(&[&web.place()])).await;
    let answer = asking.one(format!("http://0x7f.1:{}/", web.port)).await;
    assert_eq!(answer, "200 hello");
    let other = Asking::of(granted(&["10.0.0.1:80"])).await;
    let answer = other.one(format!("http://2130706433:{}/", web.port)).await;
    assert!(answer.contains(DENIED), "{answer}");
}

#[tokio::test]
async fn a_name_that_leads_to_an_address_near_this_machine_is_refused() {
    let web = hello();
    let place = format!("service.test:{}", web.port);
    for address in [
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "fd00:ec2::254",
        "0.0.0.0",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let names = Told::of(&[&[address]]);
        let asking = Asking::of(granted(&[&place]).with_names(names.clone())).await;
        let answer = asking.one(format!("http://{place}/")).await;
        assert!(answer.contains(PROHIBITED) && names.asked() == 1, "{address}: {answer}");
    }
    assert!(web.seen().is_empty());
}

#[tokio::test]
async fn one_such_address_among_others_is_enough() {
    let names = Told::of(&[&["8.8.8.8", "127.0.0.1"]]);
    let asking = Asking::of(granted(&["service.test:80"]).with_names(names)).await;
    let answer = asking.one("http://service.test/").await;
    assert!(answer.contains(PROHIBITED), "{answer}");
}

#[tokio::test]
async fn an_address_or_a_network_that_is_named_may_have_a_name() {
    let web = hello();
    let place = format!("service.test:{}", web.port);
    let names = || Told::of(&[&["127.0.0.1"]]);
    let url = format!("http://{place}/");
    let by_address = granted(&[&place, &web.place()]).with_names(names());
    assert_eq!(Asking::of(by_address).await.one(&url).await, "200 hello");
    let mut by_network = granted(&[&place]).with_names(names());
    by_network.allow_network("127.0.0.0/8").unwrap();
    assert_eq!(Asking::of(by_network).await.one(&url).await, "200 hello");
    let localhost = format!("localhost:{}", web.port);
    assert_eq!(
        Asking::of(granted(&[&localhost])).await.one(format!("http://{localhost}/")).await,
        "200 hello"
    );
}

#[tokio::test]
async fn a_connection_goes_to_the_address_that_was_checked_whatever_the_name_means_next() {
    let web = hello();
    let place = format!("service.test:{}", web.port);
    let names = Told::of(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let asking = Asking::of(granted(&[&place, &web.place()]).with_names(names.clone())).await;
    assert_eq!(asking.one(format!("http://{place}/")).await, "200 hello");
    assert_eq!((names.asked(), web.seen().len()), (1, 1), "resolved once");
    let answer = asking.one(format!("http://{place}/")).await;
    assert!(answer.contains(PROHIBITED) && web.seen().len() == 1, "{answer}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_what_it_points_to_has_to_be_granted() {
    let inside = hello();
    let (there, elsewhere) = (inside.url("/secret"), inside.place());
    let web = Web::start(move |seen| match seen.line.as_str() {
        "GET /away" => reply(302, &[&format!("location: {there}")], ""),
        _ => reply(307, &["location: http://169.254.169.254/"], ""),
    });
    let plain = Asking::of(granted(&[&web.place()])).await;
    assert_eq!(plain.ask([web.url("/away"), web.url("/cloud")]).await.unwrap(), ["302 ", "307 "]);
    let following = Asking::with(granted(&[&web.place()]), "{\"follow\": true}", |_| {}).await;
    for answer in following.ask([web.url("/away"), web.url("/cloud")]).await.unwrap() {
        assert!(answer.contains(DENIED), "{answer}");
    }
    assert!(inside.seen().is_empty());
    let both = Asking::with(granted(&[&web.place(), &elsewhere]), "{\"follow\": true}", |_| {}).await;
    assert_eq!(both.one(web.url("/away")).await, "200 hello");
}

#[tokio::test]
async fn a_request_without_a_host_or_with_a_user_is_refused() {
    let web = hello();
    let asking = Asking::of(granted(&[&web.place()])).await;
    let urls = ["http:///path".to_owned(), "http://".into(), format!("http://me@127.0.0.1:{}/", web.port)];
    for (url, answer) in urls.iter().zip(asking.ask(&urls).await.unwrap()) {
        assert!(answer.contains("its URL names no host that could be asked"), "{url}: {answer}");
    }
    assert!(web.seen().is_empty());
}

#[tokio::test]
async fn a_header_that_would_be_two_or_is_the_hosts_own_is_refused() {
    let web = hello();
    for (header, why) in [
        (r#""x": "a\r\nHost: evil""#, "a header is malformed"),
        (r#""x": "a\nb""#, "a header is malformed"),
        (r#""x: a\r\ny": "b""#, "a header is malformed"),
        (r#""Host": "evil""#, "the host's to set"),
        (r#""Transfer-Encoding": "chunked""#, "the host's to set"),
        (r#""Connection": "upgrade""#, "the host's to set"),
        (r#""Proxy-Authorization": "x""#, "the host's to set"),
    ] {
        let config = format!("{{\"headers\": {{{header}}}}}");
        let asking = Asking::with(granted(&[&web.place()]), &config, |_| {}).await;
        let answer = asking.one(web.url("/")).await;
        assert!(answer.contains(why), "{header}: {answer}");
    }
    assert!(web.seen().is_empty());
}

#[tokio::test]
async fn a_path_or_a_method_cannot_make_another_request() {
    let web = hello();
    let asking = Asking::of(granted(&[&web.place()])).await;
    for path in ["/ HTTP/1.1\r\nx: y", "/a b", "/\u{0}"] {
        let answer = asking.one(web.url(path)).await;
        assert!(!answer.starts_with("200"), "{path:?}: {answer}");
    }
    for method in ["GET / HTTP/1.1\\r\\nx: y", "CONNECT", "TRACE"] {
        let config = format!("{{\"method\": \"{method}\"}}");
        let answer = Asking::with(granted(&[&web.place()]), &config, |_| {}).await.one(web.url("/")).await;
        assert!(answer.contains("method"), "{method}: {answer}");
    }
    assert!(web.seen().is_empty());
}

#[tokio::test]
async fn a_header_of_the_pipeline_arrives_in_the_place_of_the_guests() {
    let web = hello();
    let mut grant = granted(&[&web.place()]);
    grant.add_header(&web.place(), "Authorization", "Bearer hunter2").unwrap();
    let config = "{\"headers\": {\"authorization\": \"Bearer mine\", \"x-mine\": \"1\"}}";
    let asking = Asking::with(grant, config, |_| {}).await;
    assert_eq!(asking.one(web.url("/")).await, "200 hello");
    let seen = &web.seen()[0];
    let sent: Vec<_> = seen.headers.iter().filter(|(name, _)| name == "authorization").collect();
    assert_eq!(sent, [&("authorization".to_owned(), "Bearer hunter2".to_owned())]);
    assert_eq!(seen.header("x-mine"), Some("1"));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_cut_off_whether_it_says_so_or_not() {
    let big = "x".repeat(20_000);
    let web = Web::start(move |seen| match seen.line.as_str() {
        "GET /says-so" => reply(200, &[], &big),
        _ => format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{big}").into_bytes(),
    });
    let limits = |limits: &mut Limits| limits.http_response = 10_000;
    let asking = Asking::with(granted(&[&web.place()]), "{}", limits).await;
    for answer in asking.ask([web.url("/says-so"), web.url("/does-not")]).await.unwrap() {
        assert!(answer.contains("too large (limits.http-response)"), "{answer}");
    }
    let enough = |limits: &mut Limits| limits.http_response = 20_000;
    let asking = Asking::with(granted(&[&web.place()]), "{}", enough).await;
    assert_eq!(asking.one(web.url("/does-not")).await.len(), 20_004);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let header = format!("x-filler: {}", "x".repeat(40_000));
    let web = Web::start(move |_| reply(200, &[&header], "hello"));
    let answer = Asking::of(granted(&[&web.place()])).await.one(web.url("/")).await;
    assert!(answer.contains("headers of the response are too large"), "{answer}");
}

/// Says nothing, or begins to answer and never goes on.
fn slow() -> Web {
    Web::start(|seen| match seen.line.as_str() {
        "GET /half" => b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhel\0".to_vec(),
        _ => Vec::new(),
    })
}

#[tokio::test]
async fn a_server_that_is_too_slow_is_given_up_and_its_time_is_not_the_calls() {
    let web = slow();
    let limits = |limits: &mut Limits| {
        (limits.http_time, limits.wall_per_call) = (Duration::from_millis(400), Duration::from_millis(200));
    };
    let asking = Asking::with(granted(&[&web.place()]), "{}", limits).await;
    let answers = asking.ask([web.url("/silent"), web.url("/half")]).await.unwrap();
    assert!(answers[0].contains("took too long"), "{answers:?}");
    assert!(answers[1].contains("broke off"), "{answers:?}");
}

#[tokio::test]
async fn a_call_waits_for_servers_no_longer_than_it_may() {
    let web = slow();
    let limits = |limits: &mut Limits| {
        (limits.http_time, limits.http_wait) = (Duration::from_millis(200), Duration::from_millis(300));
    };
    let asking = Asking::with(granted(&[&web.place()]), "{}", limits).await;
    let answers = asking.ask((0..20).map(|_| web.url("/silent"))).await.unwrap();
    assert!(answers.iter().all(|answer| answer.contains("took too long")), "{answers:?}");
    assert!(web.seen().len() <= 3, "{} requests arrived", web.seen().len());
    // The next call has time of its own.
    assert!(asking.one(web.url("/silent")).await.contains("took too long"));
}

#[tokio::test]
async fn too_many_requests_at_once_or_in_a_call_are_told_so() {
    let web = hello();
    let most = |limits: &mut Limits| limits.http_concurrent = 2;
    let asking = Asking::with(granted(&[&web.place()]), "{\"at-once\": 4}", most).await;
    let answers = asking.ask((0..4).map(|_| web.url("/"))).await.unwrap();
    let (good, refused) = answers.split_at(2);
    assert_eq!(good, ["200 hello", "200 hello"]);
    assert!(refused.iter().all(|answer| answer.contains("too many requests")), "{refused:?}");
    let most = |limits: &mut Limits| limits.http_requests = 3;
    let asking = Asking::with(granted(&[&web.place()]), "{}", most).await;
    for _ in 0..2 {
        let answers = asking.ask((0..4).map(|_| web.url("/"))).await.unwrap();
        assert_eq!(answers[..3], ["200 hello", "200 hello", "200 hello"]);
        assert!(answers[3].contains("too many requests"), "{answers:?}");
    }
}

#[tokio::test]
async fn five_hundred_requests_are_not_too_many_calls_of_the_host() {
    let web = hello();
    let asking = Asking::with(granted(&[&web.place()]), "{\"at-once\": 8}", |_| {}).await;
    let answers = asking.ask((0..500).map(|_| web.url("/"))).await.unwrap();
    assert!(answers.iter().all(|answer| answer == "200 hello"), "{answers:?}");
}

#[tokio::test]
async fn a_guest_that_sends_before_it_has_rows_is_denied() {
    let web = hello();
    let config = format!("{{\"always\": {:?}}}", web.url("/"));
    let bound = guest().await.bind(settings(granted(&[&web.place()]), &config)).await;
    let report = bound.err().unwrap().report();
    assert!(report.contains(DENIED) && web.seen().is_empty(), "{report}");
}

#[tokio::test]
async fn a_server_that_is_not_there_and_a_name_that_is_none_may_be_there_later() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let asking = Asking::of(granted(&[&nobody.to_string()])).await;
    let answer = asking.one(format!("http://{nobody}/")).await;
    assert!(answer.contains("the connection was refused"), "{answer}");
    let asking = Asking::of(granted(&["service.test:80"]).with_names(Told::of(&[&[]]))).await;
    let answer = asking.one("http://service.test/").await;
    assert!(answer.contains("the host's name is unknown"), "{answer}");
}

#[tokio::test]
async fn what_depends_on_a_server_does_not_count_as_deterministic() {
    let web = hello();
    let facts = Asking::of(granted(&[&web.place()])).await.step.facts();
    assert!(!facts.deterministic);
    let text = facts.details.join("\n");
    assert!(text.contains(&format!("asks for http; may send requests to http://{}", web.place())), "{text}");
    assert!(text.contains("limits of requests: http-requests 1000, http-concurrent 8, http-time 10s, http-wait 60s, http-response 8 MiB"), "{text}");
}
