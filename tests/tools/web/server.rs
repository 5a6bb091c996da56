//! Files in memory, served over http.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// A page that asks for nothing, not even an icon.
const EMPTY: &[u8] = b"<!doctype html><title>empty</title><link rel=icon href='data:,'>";

/// By path, such as `/inr/model.js`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Serves until the process ends; gives the address.
pub fn serve(files: Files) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let files = Arc::new(files);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let files = files.clone();
            std::thread::spawn(move || drop(answer(stream, &files)));
        }
    });
    address
}

fn answer(mut stream: TcpStream, files: &Files) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    loop {
        let mut first = String::new();
        if lines.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut rest = String::new();
        while lines.read_line(&mut rest)? > 2 {
            rest.clear();
        }
        let path = first.split(' ').nth(1).unwrap_or("/").split('?').next().unwrap_or("/").to_string();
        let kind = match path.rsplit('.').next().unwrap_or("") {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript",
            "css" => "text/css",
            "json" => "application/json",
            "wgsl" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        };
        let (status, body) = match files.get(&path) {
            Some(body) => ("200 OK", body.as_slice()),
            None if path == "/" => ("200 OK", EMPTY),
            None => ("404 Not Found", &b""[..]),
        };
        let kind = if path == "/" { "text/html" } else { kind };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len())?;
        stream.write_all(body)?;
    }
}
