//! A browser without a window, driven over a pipe by the DevTools protocol: messages are JSON that end with a zero byte.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    read: Vec<u8>,
    next: u64,
    session: String,
    /// What pages threw or the browser logged as an error.
    pub faults: Vec<String>,
    _profile: tempfile::TempDir,
}

fn program() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = std::env::var_os("PATH")?;
    let all: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|n| all.iter().map(|p| p.join(n)).find(|p| p.is_file()))
}

impl Browser {
    /// Starts it with a software device. Gives none where there is no browser; where `HNET_REQUIRE_GPU` is 1 that is a failure.
    pub fn start() -> Option<Browser> {
        let found = program().filter(|_| cfg!(unix));
        let Some(program) = found else {
            let required = std::env::var("HNET_REQUIRE_GPU").is_ok_and(|v| v == "1");
            assert!(!required, "no Chromium in PATH");
            eprintln!("SKIPPED: no Chromium in PATH");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // The browser reads from descriptor 3 and writes to 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 1>&2 </dev/null"])
            .arg(program)
            .args(["--headless=new", "--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"])
            .args(["--remote-debugging-pipe", "--hide-scrollbars", "--window-size=1100,900", "--no-first-run"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell starts");
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let session = String::new();
        let mut b = Browser { child, to, from, read: vec![], next: 0, session, faults: vec![], _profile: profile };
        let targets = b.send("Target.getTargets", json!({}));
        let pages = targets["targetInfos"].as_array().cloned().unwrap_or_default();
        let page = pages.iter().find(|t| t["type"] == "page").expect("the browser has a page")["targetId"].clone();
        let attached = b.send("Target.attachToTarget", json!({ "targetId": page, "flatten": true }));
        b.session = attached["sessionId"].as_str().unwrap().to_string();
        for domain in ["Page", "Runtime", "Log"] {
            b.send(&format!("{domain}.enable"), json!({}));
        }
        Some(b)
    }

    fn receive(&mut self) -> Value {
        loop {
            if let Some(end) = self.read.iter().position(|c| *c == 0) {
                let message: Vec<u8> = self.read.drain(..=end).collect();
                return serde_json::from_slice(&message[..end]).unwrap();
            }
            let mut chunk = vec![0; 1 << 16];
            let n = self.from.read(&mut chunk).unwrap();
            assert!(n > 0, "the browser ended");
            self.read.extend(&chunk[..n]);
        }
    }

    pub fn send(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(message.to_string().as_bytes()).unwrap();
        self.to.write_all(&[0]).unwrap();
        self.to.flush().unwrap();
        loop {
            let mut answer = self.receive();
            if answer["id"] == self.next {
                assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            match answer["method"].as_str() {
                Some("Runtime.exceptionThrown") => self.faults.push(answer["params"]["exceptionDetails"].to_string()),
                Some("Log.entryAdded") if answer["params"]["entry"]["level"] == "error" => {
                    self.faults.push(answer["params"]["entry"].to_string());
                }
                _ => {}
            }
        }
    }

    pub fn open(&mut self, url: &str) {
        self.send("Page.navigate", json!({ "url": url }));
        self.wait("document.readyState === 'complete'");
    }

    /// The value of an expression, promises awaited; what the page threw as an error.
    pub fn try_eval(&mut self, text: &str) -> Result<Value, String> {
        let ask = json!({ "expression": text, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.send("Runtime.evaluate", ask);
        match answer.get("exceptionDetails") {
            Some(e) => Err(e["exception"]["description"].as_str().unwrap_or("").to_string() + e["text"].as_str().unwrap_or("")),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    pub fn eval(&mut self, text: &str) -> Value {
        self.try_eval(text).unwrap_or_else(|e| panic!("{text:.200}: {e}"))
    }

    /// Waits until an expression holds.
    pub fn wait(&mut self, text: &str) {
        let start = Instant::now();
        while !self.try_eval(&format!("!!({text})")).is_ok_and(|v| v == true) {
            assert!(start.elapsed() < Duration::from_secs(120), "`{text}` did not come true: {:?}", self.faults);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A picture of the page, as PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        let shot = self.send("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
        base64(shot["data"].as_str().unwrap())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for v in text.bytes().filter_map(value) {
        bits = bits << 6 | u32::from(v);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}
