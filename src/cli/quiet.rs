//! Keeps drivers from talking to users.
//!
//! Looking for graphics devices loads layers that ask for a window system, whose library complains on stderr where
//! `XDG_RUNTIME_DIR` is not set, as on servers. Nothing is drawn here, so nobody needs to read that.

/// Runs `work`; on Linux and without that variable, what is written to stderr meanwhile goes nowhere.
#[cfg(target_os = "linux")]
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    if std::env::var_os("XDG_RUNTIME_DIR").is_some() {
        return work();
    }
    let kept = rustix::io::dup(rustix::stdio::stderr());
    let nowhere = std::fs::File::options().write(true).open("/dev/null");
    let (Ok(kept), Ok(nowhere)) = (kept, nowhere) else { return work() };
    if rustix::stdio::dup2_stderr(&nowhere).is_err() {
        return work();
    }
    // Also where it panics.
    let _back = Back(kept);
    work()
}

#[cfg(target_os = "linux")]
struct Back(rustix::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Drop for Back {
    fn drop(&mut self) {
        // If stderr cannot be had back there is nobody to tell.
        let _ = rustix::stdio::dup2_stderr(&self.0);
    }
}

#[cfg(not(target_os = "linux"))]
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    work()
}
