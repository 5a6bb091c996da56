//! How wide the vectors of own kernels are: the widest that the processor has, or narrower ones where `HNET_VECTORS` says so. With it a machine
//! shows what another one computes, and how fast: results may differ in their last bits, as between machines.
//!
//! Loop nests are compiled for 128 bits on all machines, and products of the library have their own rule.

use crate::diag::{Code, Diagnostic};
use std::sync::OnceLock;

/// The variable of the environment.
const ASKED: &str = "HNET_VECTORS";

/// Bits of the widest vectors that may be used; none where nobody says.
fn asked() -> Result<Option<u32>, Diagnostic> {
    static SAID: OnceLock<Option<String>> = OnceLock::new();
    let said = SAID.get_or_init(|| std::env::var_os(ASKED).map(|v| v.to_string_lossy().into_owned()));
    match said.as_deref() {
        None | Some("") => Ok(None),
        Some("512") => Ok(Some(512)),
        Some("256") => Ok(Some(256)),
        Some("128") => Ok(Some(128)),
        Some(other) => Err(Diagnostic::plain(Code::H0636, format!("`{ASKED}` is `{other}`, which is no width of vectors"))
            .note("512, 256 and 128 bits are, as far as the processor has them; without the variable the widest are used")),
    }
}

/// Errors: H0636, the environment asks for what there is not.
pub(super) fn check() -> Result<(), Diagnostic> {
    asked().map(|_| ())
}

/// Whether vectors of eight with fused products are used, and of sixteen.
#[cfg(target_arch = "x86_64")]
pub(super) fn vectors() -> (bool, bool) {
    static KNOWN: OnceLock<(bool, bool)> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let fma = std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
        let wide = std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512vl");
        let most = asked().ok().flatten().unwrap_or(512);
        (fma && most >= 256, fma && wide && most >= 512)
    })
}

/// What the widest vectors are called that are used, after a comma; nothing where they have no name.
pub fn called() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    return match vectors() {
        (_, true) => ", AVX-512",
        (true, false) => ", AVX2",
        (false, false) => "",
    };
    #[allow(unreachable_code, reason = "of other machines")]
    if cfg!(target_arch = "aarch64") { ", NEON" } else { "" }
}
