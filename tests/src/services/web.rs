//! A web server that answers as a test says, and remembers what it was asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Runs until the process ends, on a port of its own of 127.0.0.1.
pub struct Web {
    /// The port.
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET /path`.
    pub line: String,
    /// The names in lower case.
    pub headers: Vec<(String, String)>,
    /// As text.
    pub body: String,
}

impl Seen {
    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }
}

impl Web {
    /// Answers each request with the bytes that `answer` makes of it, then closes the connection; without any, it keeps that open and
    /// says nothing.
    pub fn start(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, noted) = (Arc::new(answer), seen.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, noted) = (answer.clone(), noted.clone());
                thread::spawn(move || serve(stream, &*answer, &noted));
            }
        });
        Web { port, seen }
    }

    /// What it was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// `http://127.0.0.1:<port><path>`
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// `127.0.0.1:<port>`
    pub fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// A response with these headers, each as `name: value`, and the length of its body.
pub fn reply(status: u16, headers: &[&str], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    format!(
        "HTTP/1.1 {status} As Asked\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&Seen) -> Vec<u8>, noted: &Mutex<Vec<Seen>>) {
    let Some(seen) = request(&stream) else { return };
    noted.lock().unwrap().push(seen.clone());
    let answer = answer(&seen);
    if stream.write_all(&answer).is_ok() && (answer.is_empty() || answer.ends_with(b"\0")) {
        // Until the other side goes.
        let _ = stream.read(&mut [0]);
    }
}

fn request(stream: &TcpStream) -> Option<Seen> {
    let mut lines = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        lines.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    lines.read_exact(&mut body).ok()?;
    let line = first.rsplit_once(' ')?.0.to_owned();
    Some(Seen { line, headers, body: String::from_utf8_lossy(&body).into_owned() })
}
