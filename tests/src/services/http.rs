//! As much HTTP as it takes to speak to a server's API.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// Sends a request to a port of this machine; answers the body. Panics unless the answer is a good one.
#[track_caller]
pub fn request(method: &str, port: u16, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')),
        "{method} {path}: {answer}"
    );
    body.to_owned()
}
